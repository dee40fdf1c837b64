"""The conformance suite through the official client, against an API server that runs Pods as processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from sandbox_agent_kubernetes import KubernetesProvider
from support.kubernetes import Cluster
from support.kubernetes.examples import IMAGE, POOL, make_pool

STORAGE = "1Gi"


class OnKubernetes(ProviderConformance):
    """Whatever the sandboxes are made of."""

    kinds: ClassVar[Sequence[str]]
    """That hold a sandbox; none is left behind."""

    @pytest.fixture
    def provider(self, cluster: Cluster, options: dict[str, Any]) -> Iterator[KubernetesProvider]:
        yield KubernetesProvider(kubeconfig=str(cluster.kubeconfig), **options)
        for kind in self.kinds:
            for left in cluster.objects(kind):
                assert "deletionTimestamp" in left["metadata"], f"{kind} are left behind"

    @pytest.fixture
    def provider_source(self, cluster: Cluster, options: dict[str, Any]) -> str:
        given = {"kubeconfig": str(cluster.kubeconfig), **options}
        return (
            "from sandbox_agent_kubernetes import KubernetesProvider\n"
            f"provider = KubernetesProvider(**{given!r})"
        )

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, cluster: Cluster) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            for kind in self.kinds:
                await asyncio.to_thread(cluster.delete, kind, ref.id)

        return kill


class TestPods(OnKubernetes):
    kinds = ("persistentvolumeclaims", "pods")

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"image": IMAGE, "storage": STORAGE}


class TestWarmPool(OnKubernetes):
    kinds = ("sandboxclaims",)

    @pytest.fixture
    def cluster(self, make_cluster: Callable[..., Cluster]) -> Cluster:
        cluster = make_cluster(agent_sandbox=True)
        make_pool(cluster)
        return cluster

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"warm_pool": POOL}
