"""The controllers of extensions.agents.x-k8s.io: pools keep Sandboxes ready, and claims are handed one of them.

A claim that brings an environment or volumes of its own starts a Sandbox cold, as the real controller does it.
"""

from __future__ import annotations

import copy
import secrets
from typing import Any

from support.kubernetes.pod_status import condition
from support.kubernetes.resources import CLAIMS, PODS, POOLS, SANDBOXES, TEMPLATES
from support.kubernetes.sandboxes import Controller, condition_of, owner, owners_of
from support.kubernetes.storage import Change, Object

__all__ = ["ClaimController", "PoolController"]

_POOL = "agents.x-k8s.io/warm-pool-sandbox"
_CLAIM = "agents.x-k8s.io/claim-uid"
_LAUNCH = "agents.x-k8s.io/launch-type"
_RESERVED = ("kubernetes.io", "k8s.io")


class PoolController(Controller):
    """As many Sandboxes as a pool wants, and new ones for those that are taken."""

    resource = POOLS

    def reconcile(self, it: Object) -> None:
        namespace, name = it["metadata"]["namespace"], it["metadata"]["name"]
        members = _members(self._storage.objects(SANDBOXES, namespace), name)
        wanted = it["spec"].get("replicas", 0)
        template = self._storage.find(
            TEMPLATES, namespace, it["spec"]["sandboxTemplateRef"]["name"]
        )
        if template is not None:
            for _ in range(wanted - len(members)):
                meta = {
                    "name": f"{name}-{secrets.token_hex(3)[:5]}",
                    "namespace": namespace,
                    "labels": {_POOL: name},
                    "ownerReferences": [owner(it)],
                }
                members.append(
                    self._storage.create(SANDBOXES, {"metadata": meta, "spec": _spec(template)})
                )
        for surplus in members[wanted:]:
            self._deletion.delete(SANDBOXES, surplus)
        ready = sum(_is_ready(each) for each in members[:wanted])
        counted = {
            "replicas": len(members[:wanted]),
            "readyReplicas": ready,
            "selector": f"{_POOL}={name}",
        }
        self._set_status(it, lambda status: status.update(counted))

    def concerns(self, change: Change) -> list[tuple[str, str]]:
        """A pool whose member was taken hears of it too, though the member is no longer its own."""
        namespace = change.object["metadata"].get("namespace", "")
        if change.resource == TEMPLATES:
            return [
                (namespace, pool["metadata"]["name"])
                for pool in self._storage.objects(POOLS, namespace)
            ]
        before = owners_of(change.before) if change.before else []
        return [
            *super().concerns(change),
            *((namespace, each["name"]) for each in before if each["kind"] == "SandboxWarmPool"),
        ]


class ClaimController(Controller):
    """Hands out Sandboxes."""

    resource = CLAIMS

    def reconcile(self, it: Object) -> None:
        lifecycle = it["spec"].get("lifecycle") or {}
        sandbox = self._sandbox(it)
        if self._expires(it, lifecycle.get("shutdownTime")):
            if lifecycle.get("shutdownPolicy", "Retain") != "Retain":
                return self._deletion.delete(CLAIMS, it)
            if sandbox is not None:
                self._deletion.delete(SANDBOXES, sandbox)
            return self._report(it, None, "ClaimExpired")
        if sandbox is None and (it.get("status") or {}).get("sandbox"):
            return self._report(it, None, "SandboxMissing")
        if sandbox is None:
            sandbox = self._provide(it)
        if sandbox is not None:
            ready = condition_of(sandbox, "Ready")
            self._report(it, sandbox, ready.get("reason", "SandboxNotReady"))
        return None

    def _sandbox(self, it: Object) -> Object | None:
        uid = it["metadata"]["uid"]
        owned = [each for resource, each in self._storage.owned_by(uid) if resource == SANDBOXES]
        return owned[0] if owned else None

    def _provide(self, it: Object) -> Object | None:
        """One of the pool, or a new one; None when it is refused, which the claim then says."""
        namespace, spec = it["metadata"]["namespace"], it["spec"]
        pool = self._storage.find(POOLS, namespace, (spec.get("warmPoolRef") or {}).get("name", ""))
        template = pool and self._storage.find(
            TEMPLATES, namespace, pool["spec"]["sandboxTemplateRef"]["name"]
        )
        if pool is None or template is None:
            self._report(
                it, None, "ReconcilerError", message="the warm pool or its template is not there"
            )
            return None
        if (why := _refusal(spec, template)) is not None:
            self._report(it, None, why)
            return None
        if not spec.get("env") and not spec.get("volumeClaimTemplates"):
            members = _members(
                self._storage.objects(SANDBOXES, namespace), pool["metadata"]["name"]
            )
            for member in filter(_is_ready, members):
                return self._adopt(it, member)
        return self._start_cold(it, template)

    def _adopt(self, it: Object, member: Object) -> Object | None:
        def change(sandbox: Object) -> None:
            labels = {
                key: value for key, value in sandbox["metadata"]["labels"].items() if key != _POOL
            }
            sandbox["metadata"] |= {
                "labels": {**labels, **_claimed(it, "warm")},
                "ownerReferences": [owner(it)],
            }

        extra = it["spec"].get("additionalPodMetadata") or {}
        pod = self._storage.find(PODS, member["metadata"]["namespace"], member["metadata"]["name"])
        if pod is not None and extra:
            self._storage.edit(PODS, pod, lambda each: _add_metadata(each["metadata"], extra))
        return self._storage.edit(SANDBOXES, member, change)

    def _start_cold(self, it: Object, template: Object) -> Object:
        spec = _spec(template)
        pod = spec["podTemplate"]
        _add_metadata(pod.setdefault("metadata", {}), it["spec"].get("additionalPodMetadata") or {})
        for variable in it["spec"].get("env") or []:
            for container in pod["spec"]["containers"]:
                if variable.get("containerName") in (None, "", container["name"]):
                    added = {
                        key: value for key, value in variable.items() if key != "containerName"
                    }
                    kept = [
                        each for each in container.get("env") or [] if each["name"] != added["name"]
                    ]
                    container["env"] = [*kept, added]
        spec["volumeClaimTemplates"] = [
            *(spec.get("volumeClaimTemplates") or []),
            *(it["spec"].get("volumeClaimTemplates") or []),
        ]
        meta = {
            "name": it["metadata"]["name"],
            "namespace": it["metadata"]["namespace"],
            "labels": _claimed(it, "cold"),
            "ownerReferences": [owner(it)],
        }
        return self._storage.create(SANDBOXES, {"metadata": meta, "spec": spec})

    def _report(
        self, it: Object, sandbox: Object | None, reason: str, *, message: str = ""
    ) -> None:
        def change(status: Object) -> None:
            if sandbox is not None:
                addresses = (sandbox.get("status") or {}).get("podIPs") or []
                status["sandbox"] = {"name": sandbox["metadata"]["name"], "podIPs": addresses}
            condition(
                status,
                "Ready",
                reason == "DependenciesReady",
                reason=reason,
                message=message,
                generation=it["metadata"]["generation"],
            )

        self._set_status(it, change)


def _refusal(spec: dict[str, Any], template: Object) -> str | None:
    """The reason by which a claim is refused for good."""
    labels = (spec.get("additionalPodMetadata") or {}).get("labels") or {}
    if any(key.partition("/")[0].endswith(_RESERVED) for key in labels if "/" in key):
        return "InvalidMetadata"
    if spec.get("env") and not _may_inject(spec["env"], template):
        return "EnvVarsInjectionRejected"
    if (
        spec.get("volumeClaimTemplates")
        and template["spec"].get("volumeClaimTemplatesPolicy", "Disallowed") == "Disallowed"
    ):
        return "VolumeClaimTemplatesError"
    return None


def _may_inject(variables: list[dict[str, Any]], template: Object) -> bool:
    policy = template["spec"].get("envVarsInjectionPolicy", "Disallowed")
    if policy == "Allowed":  # only `Overrides` may replace what the template sets
        containers = template["spec"]["podTemplate"]["spec"]["containers"]
        present = {each["name"] for container in containers for each in container.get("env") or []}
        return not present & {each["name"] for each in variables}
    return bool(policy == "Overrides")


def _spec(template: Object) -> dict[str, Any]:
    taken = {
        key: value
        for key, value in template["spec"].items()
        if key in ("podTemplate", "volumeClaimTemplates", "service")
    }
    return copy.deepcopy({**taken, "operatingMode": "Running"})


def _members(sandboxes: Any, pool: str) -> list[Object]:
    return [each for each in sandboxes if (each["metadata"].get("labels") or {}).get(_POOL) == pool]


def _claimed(claim: Object, launch: str) -> dict[str, str]:
    return {_CLAIM: claim["metadata"]["uid"], _LAUNCH: launch}


def _add_metadata(meta: dict[str, Any], extra: dict[str, Any]) -> None:
    for key in ("labels", "annotations"):
        if extra.get(key):
            meta[key] = {**(meta.get(key) or {}), **extra[key]}


def _is_ready(sandbox: Object) -> bool:
    return condition_of(sandbox, "Ready").get("status") == "True"
