"""The provider in its user's hands, where the conformance suite does not look."""

from __future__ import annotations

import pytest
from sandbox_agent_client import SandboxAgentSync
from sandbox_agent_core.errors import CapabilityNotSupported
from sandbox_agent_kubernetes import KubernetesProvider
from support.kubernetes import Cluster


def test_the_synchronous_client_reaches_a_pod_and_hears_that_it_cannot_be_paused(
    cluster: Cluster,
) -> None:
    provider = KubernetesProvider("sandbox-agent", kubeconfig=str(cluster.kubeconfig))
    steps: list[str] = []
    with SandboxAgentSync.start(provider, env={"KEY": "s3cret"}, report=steps.append) as client:
        session = client.create_session("mock")
        assert session.prompt("text hello").stop_reason == "end_turn"
        assert client.processes.run(["pwd"]).stdout.strip() == "/home/agent/workspace"
        with pytest.raises(CapabilityNotSupported, match="storage="):
            client.sandbox.pause()
        (pod,) = cluster.objects("pods")
        assert client.sandbox.ref.id == pod["metadata"]["name"]
        assert client.token not in str(pod)
        assert "s3cret" not in str(pod)
    assert any(pod["metadata"]["name"] in step for step in steps)
    assert all("deletionTimestamp" in left["metadata"] for left in cluster.objects("pods"))
