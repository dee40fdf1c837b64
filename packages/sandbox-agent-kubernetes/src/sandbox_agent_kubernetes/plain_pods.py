"""Sandboxes that are plain Pods: how one comes, sleeps, wakes and goes. All that belongs to one has its name."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sandbox_agent_core.errors import (
    CapabilityNotSupported,
    ProviderAuthError,
    ProviderError,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning.provider import removed_on_failure
from sandbox_agent_core.spi.provider import SandboxInfo

from sandbox_agent_kubernetes.cluster import Cluster, Resource
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.manifests import POD_ANNOTATION, TOKEN_VARIABLE, PodOptions, merged
from sandbox_agent_kubernetes.pods import PODS, Pod
from sandbox_agent_kubernetes.reaching import Reach, WayThere
from sandbox_agent_kubernetes.waiting import gone, not_running, running

__all__ = ["PlainPods"]

SECRETS: Final = Resource("/api/v1", "secrets")
CLAIMS: Final = Resource("/api/v1", "persistentvolumeclaims")
POLICIES: Final = Resource("/apis/networking.k8s.io/v1", "networkpolicies")
TOKEN_BYTES: Final = 32
DESTROY_GRACE_S: Final = 1


class PlainPods:
    def __init__(
        self, cluster: Cluster, options: PodOptions, reach: Reach, *, start_timeout_s: float
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._reach = reach
        self._start_timeout_s = start_timeout_s

    @asynccontextmanager
    async def made(
        self,
        namespace: str,
        *,
        env: Mapping[str, str],
        labels: Mapping[str, str],
        report: Callable[[str], None],
    ) -> AsyncIterator[Pod]:
        """A new one that runs, with its token. When the block fails or is cancelled, all of it is removed again."""
        name = f"sandbox-agent-{secrets.token_hex(8)}"
        token = secrets.token_urlsafe(TOKEN_BYTES)
        variables = {**env, TOKEN_VARIABLE: token}
        secret = self._options.secret_manifest(name, variables)
        beside = [WayThere(SECRETS, secret), *self._reach.objects(name, namespace)]
        manifest = self._options.pod_manifest(name, labels=labels, variables=variables)
        await self._share_network_policy(namespace)
        remove = partial(self.remove, namespace, name)
        async with removed_on_failure(remove, what=f"the Kubernetes sandbox {name}"):
            claim = await self._make_claim(namespace, name, manifest)
            report(f"creating the Pod {name} in the namespace {namespace}")
            made = await self._cluster.request("POST", PODS.path(namespace), body=manifest)
            # After their owner, which a list shows: whenever this process dies, a sweep leaves nothing. The Pod waits for
            # its Secret.
            owned = {"metadata": {"ownerReferences": [_owner(claim or made)]}}
            for one in beside:
                body = merged(one.manifest, owned)
                await self._cluster.request("POST", one.resource.path(namespace), body=body)
            pod = await self._running(namespace, name, report)
            yield replace(pod, token=token)

    async def find(self, namespace: str, name: str) -> Pod:
        """One that runs.

        Raises:
            SandboxNotFound
            SandboxAsleep: there is only its volume.
            ProviderError: it does not run; the message says why.
        """
        try:
            pod = await self._get(namespace, name)
        except SandboxNotFound:
            if await self._claim(namespace, name) is None:
                raise
            raise _asleep(name, "") from None
        if pod.is_running:
            return pod
        if pod.is_terminating or pod.has_ended:
            why = "" if pod.is_terminating else f" {pod.how_it_ended}"
            if await self._claim(namespace, name) is not None:
                raise _asleep(name, why)
            if pod.is_terminating:
                raise SandboxNotFound(
                    f"The Kubernetes sandbox {name!r} is being destroyed.",
                    provider=PROVIDER,
                    sandbox=name,
                )
        raise await not_running(self._cluster, pod)

    async def pause(self, namespace: str, name: str) -> None:
        """Raises: CapabilityNotSupported: nothing of it would stay."""
        if await self._claim(namespace, name) is None:
            await self._get(namespace, name)
            raise CapabilityNotSupported(
                f"The files of the Kubernetes sandbox {name!r} end with its Pod, so it cannot be paused. Start it with "
                "`storage='10Gi'`: then they are on a volume.",
                provider=PROVIDER,
                capability="pause",
                sandbox=name,
            )
        with suppress(SandboxNotFound):
            await self._cluster.request("DELETE", PODS.path(namespace, name), sandbox=name)
        await gone(self._cluster, namespace, name)

    async def resume(self, namespace: str, name: str) -> None:
        """Raises:
        SandboxNotFound: there is neither a Pod nor a volume.
        ProviderError, ProviderTimeout: it does not run; the message says why.
        """
        with suppress(SandboxNotFound):
            pod = await self._get(namespace, name)
            if not (pod.is_terminating or pod.has_ended):
                await self._running(namespace, name)
                return
            if await self._claim(namespace, name) is None:
                raise await not_running(self._cluster, pod)
            await self._cluster.request("DELETE", PODS.path(namespace, name), sandbox=name)
            await gone(self._cluster, namespace, name)
        claim = await self._claim(namespace, name)
        if claim is None:
            raise SandboxNotFound(
                f"There is no Kubernetes sandbox {name!r} (any more).",
                provider=PROVIDER,
                sandbox=name,
            )
        manifest = json.loads(claim["metadata"]["annotations"][POD_ANNOTATION])
        with _may_be_there():  # somebody else wakes it, too
            await self._cluster.request("POST", PODS.path(namespace), body=manifest)
        await self._running(namespace, name)

    async def remove(self, namespace: str, name: str) -> None:
        """What is gone already is no error. Its Secret and what else belongs to it goes with it by itself."""
        body = {"gracePeriodSeconds": DESTROY_GRACE_S}
        path = PODS.path(namespace, name)
        try:
            was = await self._cluster.request("DELETE", path, body=body, sandbox=name)
        except SandboxNotFound:
            was = {}
        if was.get("kind") != "Pod" or self._options.storage is not None or name in Pod(was).claims:
            # Whoever may not delete volumes has not made one.
            with suppress(SandboxNotFound, ProviderAuthError):
                await self._cluster.request("DELETE", CLAIMS.path(namespace, name), sandbox=name)

    async def listed(self, namespace: str, selector: str) -> AsyncIterator[SandboxInfo]:
        seen: set[str] = set()
        async for page in self._cluster.pages(PODS, namespace, selector=selector):
            for pod in map(Pod, page):
                if not pod.is_terminating and not pod.is_owned:
                    seen.add(pod.name)
                    yield pod.info(pod.state)
        # Those that sleep. Whoever may not list claims has made none.
        with suppress(ProviderAuthError):
            async for page in self._cluster.pages(CLAIMS, namespace, selector=selector):
                for claim in map(Pod, page):
                    is_ours = POD_ANNOTATION in (
                        claim.manifest["metadata"].get("annotations") or {}
                    )
                    if is_ours and claim.name not in seen and not claim.is_terminating:
                        yield claim.info("stopped")

    async def _make_claim(
        self, namespace: str, name: str, pod: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        if self._options.storage is None:
            return None
        claim = self._options.claim_manifest(name, pod)
        made: Mapping[str, Any] = await self._cluster.request(
            "POST", CLAIMS.path(namespace), body=claim
        )
        return made

    async def _share_network_policy(self, namespace: str) -> None:
        if self._options.network_policy_name is not None:
            with _may_be_there():
                await self._cluster.request(
                    "POST",
                    POLICIES.path(namespace),
                    body=self._options.network_policy_manifest(),
                )

    async def _get(self, namespace: str, name: str) -> Pod:
        return Pod(await self._cluster.request("GET", PODS.path(namespace, name), sandbox=name))

    async def _claim(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Its volume; None when it has none that stays."""
        try:
            claim: Mapping[str, Any] = await self._cluster.request(
                "GET", CLAIMS.path(namespace, name), sandbox=name
            )
        except (SandboxNotFound, ProviderAuthError):
            return None
        is_going = "deletionTimestamp" in claim["metadata"]
        is_ours = POD_ANNOTATION in (claim["metadata"].get("annotations") or {})
        return claim if is_ours and not is_going else None

    async def _running(
        self, namespace: str, name: str, report: Callable[[str], None] = lambda _step: None
    ) -> Pod:
        return await running(
            self._cluster, namespace, name, timeout_s=self._start_timeout_s, report=report
        )


@contextmanager
def _may_be_there() -> Iterator[None]:
    """What is to be made may be there already. A quota that is just being counted is a conflict, too."""
    try:
        yield
    except ProviderError as exc:
        if exc.details.get("reason") != "AlreadyExists":
            raise


def _asleep(name: str, why: str) -> SandboxAsleep:
    return SandboxAsleep(
        f"The Kubernetes sandbox {name!r} has no Pod that runs, only its volume.{why} Resume it first.",
        provider=PROVIDER,
        sandbox=name,
        state="stopped",
    )


def _owner(it: Mapping[str, Any]) -> Mapping[str, str]:
    """What is owned goes by itself when its owner has gone."""
    metadata = it["metadata"]
    return {
        "apiVersion": it["apiVersion"],
        "kind": it["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
