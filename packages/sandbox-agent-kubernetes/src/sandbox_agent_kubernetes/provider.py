"""The provider: Pods, found again by their labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
)
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import (
    Endpoint,
    Preflight,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
)

from sandbox_agent_kubernetes.agent_sandboxes import CLAIM, SANDBOX, AgentSandboxes, Source
from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.machine import PodMachine
from sandbox_agent_kubernetes.manifests import PodOptions, PodSecurity
from sandbox_agent_kubernetes.plain_pods import PlainPods
from sandbox_agent_kubernetes.pods import Pod
from sandbox_agent_kubernetes.port_forward import PortForwards
from sandbox_agent_kubernetes.preflight import (
    check_cluster,
    rights_of_agent_sandboxes,
    rights_of_pods,
)
from sandbox_agent_kubernetes.reaching import Reach

__all__ = ["KubernetesProvider"]

START_TIMEOUT_S = 300.0
"""From the Pod's creation until it runs: its node may have to be made, and its image to be pulled."""
REQUESTS: Mapping[str, str] = {"cpu": "500m", "memory": "1Gi"}
LIMITS: Mapping[str, str] = {"memory": "4Gi"}
"""No limit of processors: what nobody else uses may be used."""


class KubernetesProvider(MachineProvider[Pod]):
    """Sandboxes are Pods, without a controller, a Helm chart or a router in the cluster.

    A Pod is made as the Pod Security Standard "restricted" wants it, with an account that has no rights, and is
    reached through the API server, so that only who may do that gets near it. The server's token and environment
    are in a Secret, which goes with the Pod.
    """

    name = PROVIDER
    vendor = "Kubernetes"
    sdk = "kubernetes"
    memory_remedy = "`limits={'memory': …}`"

    def __init__(
        self,
        image: str | None = None,
        *,
        namespace: str | None = None,
        kubeconfig: str | None = None,
        context: str | None = None,
        requests: Mapping[str, str] | None = None,
        limits: Mapping[str, str] | None = None,
        storage: str | None = None,
        storage_class: str | None = None,
        runtime_class: str | None = None,
        node_selector: Mapping[str, str] | None = None,
        tolerations: Sequence[Mapping[str, Any]] = (),
        service_account: str | None = None,
        image_pull_secrets: Sequence[str] = (),
        pod_security: PodSecurity = "restricted",
        run_as_user: int = 1000,
        active_deadline_seconds: int | None = None,
        network_policy: bool | Mapping[str, Any] = True,
        reach: str = "port-forward",
        route: Mapping[str, Any] | None = None,
        warm_pool: str | None = None,
        sandbox_template: str | None = None,
        labels: Mapping[str, str] | None = None,
        pod: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        server_port: int = SERVER_PORT,
        start_timeout: float = START_TIMEOUT_S,
        ready_timeout: float = READY_TIMEOUT_S,
    ) -> None:
        """Nothing is asked of a cluster before the first call.

        Args:
            image: What to run. It needs `/bin/sh`, and the server or a Python >= 3.11. Default: `python:3.12-slim`,
                into which the server is installed each time.
            namespace: Default: the context's.
            kubeconfig: Default: $KUBECONFIG, `~/.kube/config`, else the account of the Pod that this runs in.
            context: Default: the current one.
            requests, limits: Of the container, `{"cpu": "500m", "memory": "4Gi"}`. Default: half a processor and 1 GiB
                are asked for, and at most 4 GiB are used.
            storage: The size of a volume for the home directory, `10Gi`, which outlives the Pod, so that the sandbox
                can be paused. Default: the files end with the Pod.
            storage_class: Of that volume. Default: the cluster's default.
            runtime_class: A RuntimeClass, such as gVisor's or Kata's.
            node_selector, tolerations, service_account, image_pull_secrets: As a Pod has them. Of an account there is no
                token in the Pod in any case.
            pod_security: The Pod Security Standard that the Pod keeps to. With `baseline` the image's own user runs,
                who may be root.
            run_as_user: Who runs with `restricted`.
            active_deadline_seconds: When the cluster ends the Pod, with what is not on its volume. None: never.
            network_policy: Who may connect to the Pod, and to whom it may. True: nobody but the API server (or to the
                server's port, where it is reached in another way); to everything but the metadata services of clouds. A
                mapping: the `spec` of a NetworkPolicy without its `podSelector`. False: none is made.
            reach: How the client gets there. `port-forward`: through the API server, from anywhere. In the cluster
                `service`, by the name of a Service that is made, or `pod-ip`. Or a URL with `{name}` in it
                (`https://{name}.sandboxes.example.org`), which is routed to the Service of that name.
            route: With such a URL: the manifest of an Ingress or an HTTPRoute that is made for each sandbox, in which
                `{name}`, `{namespace}` and `{port}` are filled in.
            warm_pool: Name of a SandboxWarmPool of the cluster, from which sandboxes are taken by a SandboxClaim.
            sandbox_template: Name of a SandboxTemplate, of which Sandboxes are made. With either the controller of
                agents.x-k8s.io makes the Pods, as the template says, and pausing suspends them.
            labels: Put on each Pod.
            pod: `metadata` and `spec` of a Pod, merged into ours as `kubectl patch --type strategic` does: the way out for
                all the rest.
            env: For the server and its agents; that of the single start wins. In a Secret.
            workdir: Where sessions start; made when it is missing. Default: `workspace` in the home directory.
            server_port: In the Pod. start_timeout: seconds for the Pod to run. ready_timeout: for the server to listen.

        Raises:
            InvalidRequest: an option is wrong.
        """
        super().__init__(
            env=env, workdir=workdir, server_port=server_port, ready_timeout=ready_timeout
        )
        self._source = Source(template=sandbox_template, warm_pool=warm_pool)
        if self._source.is_given and (image or storage or pod):
            raise InvalidRequest(
                "`image`, `storage` and `pod` are the template's when sandboxes are made of one, or taken from a warm pool."
            )
        if self._source.is_given and route is not None:
            raise InvalidRequest(
                "`route` is made beside a plain Pod. Route to the Services that a template with `service: true` has."
            )
        self._reached = Reach(way=reach, server_port=server_port, route=route)
        self._options = PodOptions(
            image=image,
            requests=dict(REQUESTS if requests is None else requests),
            limits=dict(LIMITS if limits is None else limits),
            storage=storage,
            storage_class=storage_class,
            runtime_class=runtime_class,
            node_selector=dict(node_selector or {}),
            tolerations=tuple(tolerations),
            service_account=service_account,
            image_pull_secrets=tuple(image_pull_secrets),
            pod_security=pod_security,
            run_as_user=run_as_user,
            active_deadline_seconds=active_deadline_seconds,
            network_policy=network_policy,
            is_reached_by_network=not self._reached.is_forwarded,
            labels=dict(labels or {}),
            pod=dict(pod or {}),
            server_port=server_port,
        )
        self._cluster = Cluster(kubeconfig=kubeconfig, context=context, namespace=namespace)
        self._pods = PlainPods(
            self._cluster, self._options, self._reached, start_timeout_s=start_timeout
        )
        self._agent_sandboxes = AgentSandboxes(
            self._cluster, server_port=server_port, start_timeout_s=start_timeout
        )
        self._forwards = PortForwards(self._cluster)

    async def preflight(self) -> Preflight:
        is_forwarded = self._reached.is_forwarded
        if self._source.is_given:
            return await check_cluster(
                self._cluster,
                rights=rights_of_agent_sandboxes(self._source, is_forwarded=is_forwarded),
                runtime_class=None,
                find_source=lambda namespace: self._agent_sandboxes.check(namespace, self._source),
            )
        return await check_cluster(
            self._cluster,
            rights=rights_of_pods(
                has_volume=self._options.storage is not None,
                has_policy=self._options.network_policy_name is not None,
                is_forwarded=is_forwarded,
                has_service=self._reached.has_service,
            ),
            runtime_class=self._options.runtime_class,
            find_source=None,
        )

    async def _may_have_server(self) -> bool:
        return self._options.image is not None or self._source.is_given

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[Pod]:
        namespace = await self._cluster.namespace()
        new = (
            self._agent_sandboxes.made(
                namespace, self._source, labels=spec.labels, report=spec.report
            )
            if self._source.is_given
            else self._pods.made(
                namespace,
                env={**self._env, **spec.env},
                labels=spec.labels,
                report=spec.report,
            )
        )
        async with new as pod:
            yield pod

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[Pod]:
        namespace, kind = await self._namespace_of(ref), _kind_of(ref)
        if kind is None:
            yield await self._pods.find(namespace, ref.id)
        else:
            yield await self._agent_sandboxes.find(namespace, ref.id, kind)

    def _machine(self, sandbox: Pod) -> PodMachine:
        return PodMachine(self._cluster, sandbox)

    def _id(self, sandbox: Pod) -> str:
        return sandbox.name if sandbox.maker is None else sandbox.maker[1]

    def _ref(self, sandbox: Pod, **metadata: Any) -> SandboxRef:
        if sandbox.maker is not None:
            metadata["kind"] = sandbox.maker[0]
        return super()._ref(sandbox, namespace=sandbox.namespace, **metadata)

    def _token_of(self, sandbox: Pod) -> str | None:
        return sandbox.token

    def _default_workdir(self, sandbox: Pod, home: str) -> str:
        return f"{home}/workspace"

    async def _memory_of(self, sandbox: Pod) -> float | None:
        if sandbox.memory_mb is not None:
            return sandbox.memory_mb
        return await super()._memory_of(sandbox)

    async def _ends_at(self, sandbox: Pod, ref: SandboxRef) -> datetime | None:
        if (kind := _kind_of(ref)) is None:
            return sandbox.ends_at
        return await self._agent_sandboxes.ends_at(sandbox.namespace, ref.id, kind)

    async def _reach(self, sandbox: Pod, port: int) -> Endpoint:
        if not self._reached.is_forwarded:
            return Endpoint(url=self._reached.url(sandbox, port))
        here = await self._forwards.port(
            sandbox.namespace, sandbox.name, port, sandbox=self._id(sandbox)
        )
        return Endpoint(url=f"http://127.0.0.1:{here}")

    async def pause(self, ref: SandboxRef) -> None:
        """End the Pod and keep its volume, or suspend the Sandbox. Pausing one that is paused succeeds.

        Raises:
            CapabilityNotSupported: it has no volume that stays: `storage`.
            SandboxNotFound: it is gone.
        """
        namespace, kind = await self._namespace_of(ref), _kind_of(ref)
        if kind is None:
            await self._pods.pause(namespace, ref.id)
        else:
            await self._agent_sandboxes.pause(namespace, ref.id, kind)

    async def resume(self, ref: SandboxRef) -> None:
        """Make a Pod as it was on the volume. Its server needs `ensure_server`.

        Raises:
            SandboxNotFound: it is gone.
            ProviderError, ProviderTimeout: the Pod does not run; the message says why.
        """
        namespace, kind = await self._namespace_of(ref), _kind_of(ref)
        if kind is None:
            await self._pods.resume(namespace, ref.id)
        else:
            await self._agent_sandboxes.resume(namespace, ref.id, kind)

    async def destroy(self, ref: SandboxRef) -> None:
        """The Pod, its Secret and its volume."""
        namespace, kind = await self._namespace_of(ref), _kind_of(ref)
        try:
            if kind is None:
                await self._pods.remove(namespace, ref.id)
            else:
                await self._agent_sandboxes.remove(namespace, ref.id, kind)
        finally:
            await self._forwards.forget(namespace, ref.id)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        """Those in the provider's namespace."""
        wanted = [OURS, *(f"{name}={value}" for name, value in (labels or {}).items())]
        namespace = await self._cluster.namespace()
        selector = ",".join(wanted)
        found = [info async for info in self._pods.listed(namespace, selector)]
        found += [info async for info in self._agent_sandboxes.listed(namespace, selector)]
        return found

    async def _namespace_of(self, ref: SandboxRef) -> str:
        known = ref.metadata.get("namespace")
        return known if isinstance(known, str) else await self._cluster.namespace()


def _kind_of(ref: SandboxRef) -> str | None:
    """Of what makes its Pod; None for a plain one."""
    kind = ref.metadata.get("kind")
    return kind if kind in (SANDBOX, CLAIM) else None
