"""Sandboxes of the cluster's own kind, where it has the controller of agents.x-k8s.io: made of a template, or taken from a
warm pool. Their Pods come without token and environment, which are written into them when they are handed out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from sandbox_agent_core.errors import (
    CapabilityNotSupported,
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    ProviderTimeout,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning.provider import removed_on_failure
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import SandboxInfo, SandboxState

from sandbox_agent_kubernetes.cluster import Cluster, Resource
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.pods import PODS, PORT_ANNOTATION, Pod
from sandbox_agent_kubernetes.waiting import gone, looks, not_running, running

__all__ = ["CLAIM", "SANDBOX", "AgentSandboxes", "Source"]

SANDBOX: Final = "Sandbox"
CLAIM: Final = "SandboxClaim"
"""Kinds of sandboxes, as references name them."""
SANDBOXES: Final = Resource("/apis/agents.x-k8s.io/v1beta1", "sandboxes")
_EXTENSIONS: Final = "/apis/extensions.agents.x-k8s.io/v1beta1"
CLAIMS: Final = Resource(_EXTENSIONS, "sandboxclaims")
TEMPLATES: Final = Resource(_EXTENSIONS, "sandboxtemplates")
POOLS: Final = Resource(_EXTENSIONS, "sandboxwarmpools")
_RESOURCES: Final[Mapping[str, Resource]] = {SANDBOX: SANDBOXES, CLAIM: CLAIMS}
_CLAIM_UID: Final = "agents.x-k8s.io/claim-uid"
_POD_NAME: Final = "agents.x-k8s.io/pod-name"
HTTP_NOT_FOUND: Final = 404
_OF_TEMPLATE: Final = ("podTemplate", "volumeClaimTemplates", "service")
_ENDED: Final = frozenset({"ClaimExpired", "PodFailed", "PodSucceeded", "SandboxExpired"})
_HOPELESS: Final[Mapping[str, str]] = {
    "ClaimExpired": "The time that its claim has is over.",
    "EnvVarsInjectionRejected": "Its claim has an environment, which the template does not allow.",
    "InvalidConfiguration": "The template is wrong.",
    "InvalidMetadata": "Its claim has labels that the cluster does not allow on Pods.",
    "PodFailed": "Its Pod has ended with an error: see the template's `command`.",
    "PodSucceeded": "Its Pod has ended: the template's `command` has to go on.",
    "SandboxExpired": "The time that the template gives it is over: `shutdownTime`.",
    "VolumeClaimTemplatesError": "Its claim has volumes, which the template does not allow.",
}
"""Reasons for not being ready that do not pass by themselves, for those who do not know the controller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What they are made of: one of the two."""

    template: str | None = None
    warm_pool: str | None = None

    def __post_init__(self) -> None:
        if self.template is not None and self.warm_pool is not None:
            raise InvalidRequest(
                "Give `warm_pool` or `sandbox_template`: a pool has its own template."
            )

    @property
    def is_given(self) -> bool:
        return self.template is not None or self.warm_pool is not None

    @property
    def kind(self) -> str:
        return CLAIM if self.warm_pool is not None else SANDBOX


class AgentSandboxes:
    def __init__(self, cluster: Cluster, *, server_port: int, start_timeout_s: float) -> None:
        self._cluster = cluster
        self._server_port = server_port
        self._start_timeout_s = start_timeout_s

    @asynccontextmanager
    async def made(
        self,
        namespace: str,
        source: Source,
        *,
        labels: Mapping[str, str],
        report: Callable[[str], None],
    ) -> AsyncIterator[Pod]:
        """The Pod of a new one. When the block fails or is cancelled, it is removed again."""
        name = f"sandbox-agent-{secrets.token_hex(8)}"
        metadata = {
            "name": name,
            "labels": {OURS: "1", **labels},
            "annotations": {PORT_ANNOTATION: str(self._server_port)},
        }
        spec = await self._spec(namespace, source)
        remove = partial(self.remove, namespace, name, source.kind)
        async with removed_on_failure(remove, what=f"the {source.kind} {name}"):
            report(f"creating the {source.kind} {name} in the namespace {namespace}")
            await self._create(namespace, source.kind, {"metadata": metadata, "spec": spec})
            sandbox = await self._ready(namespace, name, source.kind)
            pod = await self._running(namespace, sandbox, report)
            yield replace(pod, maker=(source.kind, name))

    async def find(self, namespace: str, name: str, kind: str) -> Pod:
        """The Pod of one that runs.

        Raises:
            SandboxNotFound
            SandboxAsleep: it is suspended.
            ProviderError: it does not run; the message says why. It may have no Pod for a while, or any more.
        """
        sandbox = await self._sandbox(namespace, name, kind)
        if _is_suspended(sandbox):
            raise SandboxAsleep(
                f"The Kubernetes sandbox {name!r} is suspended. Resume it first.",
                provider=PROVIDER,
                sandbox=name,
                state="paused",
            )
        try:
            pod = await self._get(PODS, namespace, _pod_name(sandbox))
        except SandboxNotFound as exc:
            raise ProviderError(
                f"The Kubernetes sandbox {name!r} has no Pod. {_words(_condition(sandbox))}",
                provider=PROVIDER,
                sandbox=name,
                state=_state(sandbox),
            ) from exc
        if not pod.is_running:
            raise await not_running(self._cluster, pod)
        return replace(pod, maker=(kind, name))

    async def pause(self, namespace: str, name: str, kind: str) -> None:
        """Its controller ends the Pod; volumes of its template stay.

        Raises:
            CapabilityNotSupported: it has none.
        """
        sandbox = await self._sandbox(namespace, name, kind)
        if not _has_volume(sandbox):
            raise CapabilityNotSupported(
                f"The files of the Kubernetes sandbox {name!r} end with its Pod, so it cannot be paused. Give its "
                "SandboxTemplate a volume for the home: `volumeClaimTemplates`.",
                provider=PROVIDER,
                capability="pause",
                sandbox=name,
            )
        await self._set_mode(namespace, sandbox, "Suspended")
        await gone(self._cluster, namespace, _pod_name(sandbox))

    async def resume(self, namespace: str, name: str, kind: str) -> None:
        sandbox = await self._sandbox(namespace, name, kind)
        if _is_suspended(sandbox):
            await self._set_mode(namespace, sandbox, "Running")
        await self._ready(namespace, sandbox["metadata"]["name"], SANDBOX)
        await self._running(namespace, await self._sandbox(namespace, name, kind))

    async def remove(self, namespace: str, name: str, kind: str) -> None:
        """What is gone already is no error. Its controller removes what belongs to it."""
        path = _RESOURCES[kind].path(namespace, name)
        with suppress(SandboxNotFound):
            await self._cluster.request("DELETE", path, sandbox=name)

    async def ends_at(self, namespace: str, name: str, kind: str) -> datetime | None:
        found = await self._get(_RESOURCES[kind], namespace, name)
        spec = found.manifest["spec"]
        text = (spec.get("lifecycle") or spec).get("shutdownTime")
        return datetime.fromisoformat(text) if text else None

    async def listed(self, namespace: str, selector: str) -> AsyncIterator[SandboxInfo]:
        """None where the cluster has no such kinds, or they may not be listed."""
        modes: dict[str, bool] = {}
        async for sandbox in self._all(SANDBOXES, namespace, _CLAIM_UID):
            modes[sandbox["metadata"]["labels"][_CLAIM_UID]] = _is_suspended(sandbox)
        for kind, resource in _RESOURCES.items():
            async for one in self._all(resource, namespace, selector):
                metadata = one["metadata"]
                if "deletionTimestamp" in metadata or metadata.get("ownerReferences"):
                    continue
                state = _state(one)
                if modes.get(metadata["uid"]):
                    state = "paused"
                yield Pod(one).info(state, kind=kind)

    async def check(self, namespace: str, source: Source) -> str:
        """What there is to make them of, for people.

        Raises:
            ProviderError: it is not there, or the cluster has no such kinds.
        """
        if source.template is not None:
            await self._look(TEMPLATES, namespace, source.template)
            return f"SandboxTemplate {source.template!r}"
        assert source.warm_pool is not None
        pool = await self._look(POOLS, namespace, source.warm_pool)
        status, spec = pool.get("status") or {}, pool.get("spec") or {}
        ready = f"{status.get('readyReplicas', 0)} of {spec.get('replicas', 0)} ready"
        return f"SandboxWarmPool {source.warm_pool!r}, {ready}"

    async def _look(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any]:
        try:
            return (await self._get(resource, namespace, name)).manifest
        except SandboxNotFound as exc:
            message = f"There is no {name!r} in the namespace {namespace!r}"
            raise _missing(message, resource) from exc

    async def _create(self, namespace: str, kind: str, given: Mapping[str, Any]) -> None:
        resource = _RESOURCES[kind]
        version = resource.api.removeprefix("/apis/")
        body = {"apiVersion": version, "kind": kind, **given}
        try:
            await self._cluster.request("POST", resource.path(namespace), body=body)
        except ProviderError as exc:
            if exc.details.get("status") != HTTP_NOT_FOUND:
                raise
            raise _missing(f"There is no namespace {namespace!r}", resource) from exc

    async def _spec(self, namespace: str, source: Source) -> Mapping[str, Any]:
        if source.warm_pool is not None:
            # No environment here: with it the controller would start a new Pod.
            return {"warmPoolRef": {"name": source.warm_pool}}
        assert source.template is not None
        template = (await self._look(TEMPLATES, namespace, source.template))["spec"]
        return {key: template[key] for key in _OF_TEMPLATE if key in template}

    async def _ready(self, namespace: str, name: str, kind: str) -> Mapping[str, Any]:
        """The Sandbox, when its controller says that it is ready.

        Raises:
            ProviderError: it will not be; the message has the controller's reason.
            ProviderTimeout
        """
        condition: Mapping[str, Any] = {}
        async for _ in looks(self._start_timeout_s):
            found = (await self._get(_RESOURCES[kind], namespace, name)).manifest
            condition = _condition(found)
            if condition.get("status") == "True":
                return await self._sandbox_of(namespace, found, kind)
            if condition.get("reason") in _HOPELESS:
                raise ProviderError(
                    f"The {kind} {name!r} does not become ready. {_words(condition)}",
                    provider=PROVIDER,
                    sandbox=name,
                )
        raise ProviderTimeout(
            f"The {kind} {name!r} is not ready after {self._start_timeout_s:g} s. {_words(condition)}",
            provider=PROVIDER,
            sandbox=name,
        )

    async def _sandbox(self, namespace: str, name: str, kind: str) -> Mapping[str, Any]:
        """Raises: SandboxNotFound, also for a claim that has none yet."""
        found = (await self._get(_RESOURCES[kind], namespace, name)).manifest
        return await self._sandbox_of(namespace, found, kind)

    async def _sandbox_of(
        self, namespace: str, found: Mapping[str, Any], kind: str
    ) -> Mapping[str, Any]:
        name = found["metadata"]["name"]
        if "deletionTimestamp" in found["metadata"]:
            raise _not_found(name)
        if kind == SANDBOX:
            return found
        claimed = ((found.get("status") or {}).get("sandbox") or {}).get("name")
        if not claimed:
            raise _not_found(name)
        return (await self._get(SANDBOXES, namespace, claimed)).manifest

    async def _set_mode(self, namespace: str, sandbox: Mapping[str, Any], mode: str) -> None:
        name = sandbox["metadata"]["name"]
        await self._cluster.request(
            "PATCH",
            SANDBOXES.path(namespace, name),
            body={"spec": {"operatingMode": mode}},
            sandbox=name,
        )

    async def _running(
        self,
        namespace: str,
        sandbox: Mapping[str, Any],
        report: Callable[[str], None] = lambda _step: None,
    ) -> Pod:
        return await running(
            self._cluster,
            namespace,
            _pod_name(sandbox),
            timeout_s=self._start_timeout_s,
            report=report,
        )

    async def _get(self, resource: Resource, namespace: str, name: str) -> Pod:
        path = resource.path(namespace, name)
        return Pod(await self._cluster.request("GET", path, sandbox=name))

    async def _all(
        self, resource: Resource, namespace: str, selector: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        try:
            async for page in self._cluster.pages(resource, namespace, selector=selector):
                for one in page:
                    yield one
        except ProviderAuthError:
            return
        except ProviderError as exc:
            if exc.details.get("status") != HTTP_NOT_FOUND:
                raise


def _condition(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """`Ready` alone: others may be left from before. Empty while it is about what was wanted before."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next((one for one in conditions if one.get("type") == "Ready"), {})
    wanted = found["metadata"].get("generation", 0)
    return ready if ready.get("observedGeneration", wanted) >= wanted else {}


def _words(condition: Mapping[str, Any]) -> str:
    if not condition:
        return "Its controller has not said anything: does it run in this cluster?"
    reason, message = str(condition.get("reason")), str(condition.get("message") or "")
    said = f"{reason}: {message}" if message else reason
    return (
        f"{_HOPELESS[reason]} ({said})" if reason in _HOPELESS else f"Its controller says: {said}"
    )


def _state(found: Mapping[str, Any]) -> SandboxState:
    if _is_suspended(found):
        return "paused"
    condition = _condition(found)
    if condition.get("reason") in _ENDED:
        return "stopped"
    return "running" if condition.get("status") == "True" else "unknown"


def _is_suspended(sandbox: Mapping[str, Any]) -> bool:
    return (sandbox.get("spec") or {}).get("operatingMode") == "Suspended"


def _has_volume(sandbox: Mapping[str, Any]) -> bool:
    """One that outlives its Pod."""
    spec = sandbox["spec"]
    volumes = spec["podTemplate"]["spec"].get("volumes") or ()
    return bool(spec.get("volumeClaimTemplates")) or any(
        "persistentVolumeClaim" in volume for volume in volumes
    )


def _pod_name(sandbox: Mapping[str, Any]) -> str:
    annotations = sandbox["metadata"].get("annotations") or {}
    return str(annotations.get(_POD_NAME) or sandbox["metadata"]["name"])


def _not_found(name: str) -> SandboxNotFound:
    return SandboxNotFound(
        f"There is no Kubernetes sandbox {name!r} (any more).", provider=PROVIDER, sandbox=name
    )


def _missing(what: str, resource: Resource) -> ProviderError:
    group = resource.api.removeprefix("/apis/").partition("/")[0]
    return ProviderError(
        f"{what}, or the cluster does not have the controller of agents.x-k8s.io (v1beta1): "
        f"`kubectl get {resource.plural}.{group}` shows it.",
        provider=PROVIDER,
        status=HTTP_NOT_FOUND,
    )
