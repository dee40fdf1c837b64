"""The conformance suite through the official client, against an API server that runs Pods as processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from sandbox_agent_kubernetes import KubernetesProvider
from support.kubernetes import Cluster

STORAGE = "1Gi"


class TestKubernetes(ProviderConformance):
    @pytest.fixture
    def options(self, cluster: Cluster) -> dict[str, Any]:
        return {
            "image": "sandbox-agent",
            "kubeconfig": str(cluster.kubeconfig),
            "storage": STORAGE,
        }

    @pytest.fixture
    def provider(self, cluster: Cluster, options: dict[str, Any]) -> Iterator[KubernetesProvider]:
        yield KubernetesProvider(**options)
        for plural in ("pods", "persistentvolumeclaims"):
            for left in cluster.objects(plural):
                assert "deletionTimestamp" in left["metadata"], f"{plural} are left behind"

    @pytest.fixture
    def provider_source(self, options: dict[str, Any]) -> str:
        return (
            "from sandbox_agent_kubernetes import KubernetesProvider\n"
            f"provider = KubernetesProvider(**{options!r})"
        )

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, cluster: Cluster) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            await asyncio.to_thread(cluster.delete, "persistentvolumeclaims", ref.id)
            await asyncio.to_thread(cluster.delete, "pods", ref.id)

        return kill
