"""How objects go: Pods with grace, what they own after them, namespaces with everything in them, claims when unused."""

from __future__ import annotations

import shutil

from support.kubernetes.kubelet import Kubelet
from support.kubernetes.node import Node
from support.kubernetes.refusals import Refusal
from support.kubernetes.requests import Call
from support.kubernetes.resources import PODS, VOLUME_CLAIMS, Resource, Resources
from support.kubernetes.storage import Change, Object, Storage, now

__all__ = ["Deletion"]


class Deletion:
    """Deletes, and collects the garbage. Finalizers are not modelled, but for a claim that a Pod uses."""

    def __init__(
        self, storage: Storage, kubelet: Kubelet, node: Node, resources: Resources
    ) -> None:
        self._storage = storage
        self._kubelet = kubelet
        self._node = node
        self._resources = resources
        storage.listen(self._heard)

    def request(self, call: Call, it: Object) -> Object:
        """Delete one object as a client wants it: what is there of it afterwards.

        Raises:
            Refusal: 409, it is another object or revision than the client thinks.
        """
        options = call.body if isinstance(call.body, dict) else {}
        for name, value in (options.get("preconditions") or {}).items():
            if value and it["metadata"].get(name) != value:
                raise Refusal(
                    409,
                    f'Operation cannot be fulfilled on {call.resource.plural} "{call.name}": Precondition failed: '
                    f"{name} in precondition: {value}, {name} in object meta: {it['metadata'].get(name)}",
                )
        grace = call.query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
        is_orphaning = (
            call.query.get("propagationPolicy") or options.get("propagationPolicy")
        ) == "Orphan"
        if not call.is_dry_run:
            self.delete(
                call.resource,
                it,
                grace_s=None if grace is None else float(grace),
                is_orphaning=is_orphaning,
            )
        meta = it["metadata"]
        return self._storage.find(call.resource, meta.get("namespace", ""), meta["name"]) or it

    def delete(
        self,
        resource: Resource,
        it: Object,
        *,
        grace_s: float | None = None,
        is_orphaning: bool = False,
    ) -> None:
        """Delete an object; a Pod has its own period of grace, if none is given."""
        if is_orphaning:
            for owned, other in self._storage.owned_by(it["metadata"]["uid"]):
                self._storage.edit(
                    owned, other, lambda each: each["metadata"].pop("ownerReferences")
                )
        if resource == PODS:
            own_grace_s = float(it["spec"].get("terminationGracePeriodSeconds", 30))
            self._kubelet.terminate(it, own_grace_s if grace_s is None else grace_s)
        elif resource == VOLUME_CLAIMS and self._users(it):
            self._storage.edit(
                resource, it, lambda each: each["metadata"].update(deletionTimestamp=now())
            )
        else:
            self._storage.remove(resource, it)

    def _heard(self, change: Change) -> None:
        if change.type != "DELETED":
            return
        it = change.object
        for resource, owned in self._storage.owned_by(it["metadata"]["uid"]):
            self.delete(resource, owned)
        match change.resource.plural:
            case "namespaces":
                for resource in self._resources:
                    if resource.namespaced:
                        for each in list(self._storage.objects(resource, it["metadata"]["name"])):
                            self.delete(resource, each, grace_s=0)
            case "persistentvolumeclaims":
                shutil.rmtree(self._node.claim_folder(it), ignore_errors=True)
            case "pods":
                self._release_claims(it)

    def _release_claims(self, pod: Object) -> None:
        for name in _claims_of(pod):
            claim = self._storage.find(VOLUME_CLAIMS, pod["metadata"]["namespace"], name)
            if claim and claim["metadata"].get("deletionTimestamp") and not self._users(claim):
                self._storage.remove(VOLUME_CLAIMS, claim)

    def _users(self, claim: Object) -> list[Object]:
        meta = claim["metadata"]
        return [
            pod
            for pod in self._storage.objects(PODS, meta["namespace"])
            if meta["name"] in _claims_of(pod)
        ]


def _claims_of(pod: Object) -> set[str]:
    volumes = pod["spec"].get("volumes") or []
    return {
        each["persistentVolumeClaim"]["claimName"]
        for each in volumes
        if "persistentVolumeClaim" in each
    }
