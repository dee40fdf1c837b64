"""Can a sandbox be made in this cluster, by whoever this is? Asked before one is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.errors import ProviderAuthError, ProviderError, SandboxAgentError
from sandbox_agent_core.provisioning.sdk import check_sdk
from sandbox_agent_core.spi.provider import Check, Preflight

from sandbox_agent_kubernetes.agent_sandboxes import Source
from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.errors import RIGHTS_HINT

__all__ = ["CLIENT_TESTED", "Right", "check_cluster", "rights_of_agent_sandboxes", "rights_of_pods"]

CLIENT_TESTED: Final = "37.0.2"
"""The newest version of the client library that our tests ran with."""
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Right = tuple[str, str, str]
"""A verb, an API group, a resource with its subresource."""

_PLAIN: Final[Sequence[Right]] = (
    ("create", "", "pods"),
    ("get", "", "pods"),
    ("list", "", "pods"),
    ("delete", "", "pods"),
    ("create", "", "secrets"),
)
_EXEC: Final[Sequence[Right]] = (("get", "", "pods/exec"), ("create", "", "pods/exec"))
_FORWARD: Final[Sequence[Right]] = (
    ("get", "", "pods/portforward"),
    ("create", "", "pods/portforward"),
)
_VOLUMES: Final[Sequence[Right]] = tuple(
    (verb, "", "persistentvolumeclaims") for verb in ("create", "get", "list", "delete")
)
_SERVICE: Final[Right] = ("create", "", "services")
_POLICY: Final[Right] = ("create", "networking.k8s.io", "networkpolicies")


def rights_of_pods(
    *, has_volume: bool, has_policy: bool, is_forwarded: bool, has_service: bool
) -> Sequence[Right]:
    return (
        *_PLAIN,
        *_EXEC,
        *(_FORWARD if is_forwarded else ()),
        *(_VOLUMES if has_volume else ()),
        *((_POLICY,) if has_policy else ()),
        *((_SERVICE,) if has_service else ()),
    )


def rights_of_agent_sandboxes(source: Source, *, is_forwarded: bool) -> Sequence[Right]:
    group, plural = (
        ("extensions.agents.x-k8s.io", "sandboxclaims")
        if source.warm_pool is not None
        else ("agents.x-k8s.io", "sandboxes")
    )
    return (
        ("get", "", "pods"),
        *_EXEC,
        *(_FORWARD if is_forwarded else ()),
        *((verb, group, plural) for verb in ("create", "get", "list", "delete")),
        *((verb, "agents.x-k8s.io", "sandboxes") for verb in ("get", "patch")),
    )


async def check_cluster(
    cluster: Cluster,
    *,
    rights: Sequence[Right],
    runtime_class: str | None,
    find_source: Callable[[str], Awaitable[str]] | None,
) -> Preflight:
    """`find_source`: asked for what sandboxes are made of in the namespace, where that is in the cluster."""
    sdk = check_sdk(
        "Kubernetes", "kubernetes", package="sandbox-agent-kubernetes", tested=CLIENT_TESTED
    )
    if not sdk.ok:
        return Preflight([sdk])
    checks = [sdk]
    try:
        version = await cluster.request("GET", "/version")
        namespace = await cluster.namespace()
        message = f"Kubernetes {version['gitVersion']} at {await cluster.where()}, namespace {namespace!r}"
        checks.append(Check(name="cluster", ok=True, message=message))
        checks.append(await _rights(cluster, namespace, rights))
        if find_source is not None:
            message = await find_source(namespace)
            checks.append(Check(name="source", ok=True, message=message))
        if runtime_class is not None:
            checks.append(await _runtime_class(cluster, runtime_class))
    except SandboxAgentError as exc:
        name = ("cluster", "rights", "source")[min(len(checks), 3) - 1]
        kind = type(exc) if isinstance(exc, ProviderError) else ProviderError
        checks.append(Check(name=name, ok=False, message=exc.message, error=kind))
    return Preflight(checks)


async def _rights(cluster: Cluster, namespace: str, rights: Sequence[Right]) -> Check:
    answers = await asyncio.gather(*(_may(cluster, namespace, right) for right in rights))
    missing: dict[str, list[str]] = {}
    for (verb, _group, resource), may in zip(rights, answers, strict=True):
        if not may:
            missing.setdefault(resource, []).append(verb)
    if not missing:
        return Check(name="rights", ok=True, message=f"all that sandboxes need in {namespace!r}")
    words = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in missing.items())
    message = (
        f"Whoever this is may not do this in the namespace {namespace!r}: {words}. {RIGHTS_HINT}"
    )
    return Check(name="rights", ok=False, message=message, error=ProviderAuthError)


async def _may(cluster: Cluster, namespace: str, right: Right) -> bool:
    verb, group, resource = right
    name, _, sub = resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": name,
        **({"subresource": sub} if sub else {}),
    }
    body: Mapping[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await cluster.request("POST", _REVIEWS, body=body)
    return (answer.get("status") or {}).get("allowed") is True


async def _runtime_class(cluster: Cluster, name: str) -> Check:
    try:
        await cluster.request("GET", f"/apis/node.k8s.io/v1/runtimeclasses/{name}")
    except ProviderAuthError:
        message = f"whether there is {name!r} may not be looked at; a Pod would say"
        return Check(name="runtime class", ok=True, message=message)
    except ProviderError as exc:
        if exc.details.get("status") != 404:
            raise
        message = f"The cluster has no RuntimeClass {name!r}: `kubectl get runtimeclasses` lists what it has."
        return Check(name="runtime class", ok=False, message=message)
    return Check(name="runtime class", ok=True, message=name)
