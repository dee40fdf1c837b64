"""The controller of agents.x-k8s.io: a Sandbox has a Pod while it runs, and keeps its volumes while it is suspended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from support.kubernetes.deletion import Deletion
from support.kubernetes.pod_status import condition
from support.kubernetes.resources import PODS, SANDBOXES, VOLUME_CLAIMS, Resource
from support.kubernetes.storage import Change, Object, Storage

__all__ = ["Controller", "SandboxController", "condition_of", "owner", "owners_of"]

_POD_NAME = "agents.x-k8s.io/pod-name"


class Controller:
    """Brings objects of one kind to where their spec wants them, whenever they or what they own change."""

    resource: Resource

    def __init__(self, storage: Storage, deletion: Deletion) -> None:
        self.problems: list[Exception] = []  # its own: there should be none
        self._storage = storage
        self._deletion = deletion
        self._waiting: set[tuple[str, str]] = set()
        storage.listen(self._heard)

    def reconcile(self, it: Object) -> None:
        """One step; called again after each change."""
        raise NotImplementedError

    def concerns(self, change: Change) -> list[tuple[str, str]]:
        """Which objects of its kind a change is about, by namespace and name."""
        it = change.object
        if change.resource == self.resource:
            return [(it["metadata"]["namespace"], it["metadata"]["name"])]
        return [
            (it["metadata"]["namespace"], each["name"])
            for each in owners_of(it)
            if each["kind"] == self.resource.kind
        ]

    def _heard(self, change: Change) -> None:
        for key in self.concerns(change):
            self._enqueue(key)

    def _enqueue(self, key: tuple[str, str], *, in_s: float = 0.0) -> None:
        if key not in self._waiting or in_s:
            if not in_s:
                self._waiting.add(key)
            asyncio.get_running_loop().call_later(in_s, self._work, key)

    def _work(self, key: tuple[str, str]) -> None:
        self._waiting.discard(key)
        it = self._storage.find(self.resource, *key)
        if it is None or it["metadata"].get("deletionTimestamp"):
            return
        try:
            self.reconcile(it)
        except Exception as problem:
            self.problems.append(problem)

    def _set_status(self, it: Object, change: Callable[[Object], None]) -> None:
        def edit(fresh: Object) -> None:
            change(fresh.setdefault("status", {}))

        self._storage.edit(self.resource, it, edit)

    def _expires(self, it: Object, when: str | None) -> bool:
        """Whether its time is over; if not yet, it is looked at again then."""
        if when is None:
            return False
        left_s = (datetime.fromisoformat(when) - datetime.now(UTC)).total_seconds()
        if left_s <= 0:
            return True
        self._enqueue((it["metadata"]["namespace"], it["metadata"]["name"]), in_s=left_s)
        return False


class SandboxController(Controller):
    """Pods and volumes of Sandboxes."""

    resource = SANDBOXES

    def reconcile(self, it: Object) -> None:
        spec = it["spec"]
        pod = self._storage.find(PODS, it["metadata"]["namespace"], _pod_name(it))
        if pod is not None and it["metadata"]["uid"] not in [
            each["uid"] for each in owners_of(pod)
        ]:
            return self._report(it, None, "ReconcilerError", suspended="PodNotOwned")
        if self._expires(it, spec.get("shutdownTime")):
            if spec.get("shutdownPolicy", "Retain") == "Delete":
                return self._deletion.delete(SANDBOXES, it)
            self._end(pod)
            return self._report(it, None, "SandboxExpired")
        if spec.get("operatingMode", "Running") == "Suspended":
            self._end(pod)
            return self._report(
                it, pod, "SandboxSuspended", suspended="PodTerminating" if pod else "PodTerminated"
            )
        self._provide_volumes(it)
        if pod is None:
            pod = self._storage.create(PODS, _pod(it))
        self._report(it, pod, _ready_reason(pod))
        return None

    def _end(self, pod: Object | None) -> None:
        if pod is not None and not pod["metadata"].get("deletionTimestamp"):
            self._deletion.delete(PODS, pod)

    def _provide_volumes(self, it: Object) -> None:
        for template in it["spec"].get("volumeClaimTemplates") or []:
            name, namespace = _claim_name(template, it), it["metadata"]["namespace"]
            if self._storage.find(VOLUME_CLAIMS, namespace, name) is None:
                meta = {
                    **template["metadata"],
                    "name": name,
                    "namespace": namespace,
                    "ownerReferences": [owner(it)],
                }
                self._storage.create(
                    VOLUME_CLAIMS, {"metadata": meta, "spec": template.get("spec") or {}}
                )

    def _report(
        self, it: Object, pod: Object | None, reason: str, *, suspended: str = "NotSuspended"
    ) -> None:
        def change(status: Object) -> None:
            about = it["metadata"]["generation"]
            is_ready, is_suspended = reason == "DependenciesReady", suspended == "PodTerminated"
            condition(status, "Ready", is_ready, reason=reason, generation=about)
            condition(status, "Suspended", is_suspended, reason=suspended, generation=about)
            status["podIPs"] = [
                each["ip"] for each in ((pod or {}).get("status") or {}).get("podIPs") or []
            ]
            status["selector"] = f"agents.x-k8s.io/sandbox-name-hash={it['metadata']['name']}"
            for each in ((pod or {}).get("status") or {}).get("conditions") or []:
                if each["type"] == "PodScheduled":
                    told = {"reason": each.get("reason", ""), "message": each.get("message", "")}
                    condition(status, "PodScheduled", each["status"] == "True", **told)

        self._set_status(it, change)


def owner(it: Object) -> dict[str, Any]:
    """A reference by which something belongs to an object."""
    return {
        "apiVersion": it["apiVersion"],
        "kind": it["kind"],
        "name": it["metadata"]["name"],
        "uid": it["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owners_of(it: Object) -> list[dict[str, Any]]:
    return it["metadata"].get("ownerReferences") or []


def condition_of(it: Object, type_: str) -> dict[str, Any]:
    """One condition of its status; empty if there is none."""
    conditions = (it.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == type_), {})


def _pod_name(it: Object) -> str:
    return str((it["metadata"].get("annotations") or {}).get(_POD_NAME) or it["metadata"]["name"])


def _claim_name(template: Object, it: Object) -> str:
    return f"{template['metadata']['name']}-{it['metadata']['name']}"


def _pod(it: Object) -> Object:
    template = it["spec"]["podTemplate"]
    meta = template.get("metadata") or {}
    volumes = [
        {
            "name": each["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": _claim_name(each, it)},
        }
        for each in it["spec"].get("volumeClaimTemplates") or []
    ]
    labels = {
        **(meta.get("labels") or {}),
        "agents.x-k8s.io/sandbox-name-hash": it["metadata"]["name"],
    }
    return {
        "metadata": {
            "name": _pod_name(it),
            "namespace": it["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner(it)],
        },
        "spec": {
            **template["spec"],
            "volumes": [*(template["spec"].get("volumes") or []), *volumes],
        },
        "status": {"phase": "Pending"},
    }


def _ready_reason(pod: Object) -> str:
    match pod["status"].get("phase"):
        case "Succeeded":
            return "PodSucceeded"
        case "Failed":
            return "PodFailed"
    is_going = bool(pod["metadata"].get("deletionTimestamp"))
    is_ready = condition_of(pod, "Ready").get("status") == "True"
    return "DependenciesReady" if is_ready and not is_going else "DependenciesNotReady"
