"""Sandboxes of agents.x-k8s.io: handed out of a warm pool, made of a template, suspended. The template is that of the examples."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_core.errors import (
    CapabilityNotSupported,
    ProviderError,
    ProviderTimeout,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_kubernetes import KubernetesProvider
from sandbox_agent_kubernetes.agent_sandboxes import SANDBOX, AgentSandboxes, Source
from sandbox_agent_kubernetes.cluster import Cluster as Api
from sandbox_agent_kubernetes.machine import PodMachine
from sandbox_agent_kubernetes.pods import Pod
from support.kubernetes import Cluster
from support.kubernetes.examples import SIZE, agents_template, is_warm, make_pool

NAMESPACE = "agents"
PAST = "2026-01-01T00:00:00Z"
TEMPLATE, POOL = Source(template="agents"), Source(warm_pool="agents")


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster(agent_sandbox=True)


@pytest.fixture
def idle(make_cluster: Callable[..., Cluster]) -> Cluster:
    """It has the kinds, and nobody who acts on them."""
    return make_cluster(agent_sandbox=True, controllers=False)


@pytest.fixture
def pool(cluster: Cluster) -> Cluster:
    """Its pool is warm."""
    make_pool(cluster)
    return cluster


def api_of(cluster: Cluster) -> Api:
    return Api(kubeconfig=str(cluster.kubeconfig), context=None, namespace=None)


def sandboxes_of(cluster: Cluster, *, start_timeout_s: float = 10) -> AgentSandboxes:
    return AgentSandboxes(api_of(cluster), server_port=2468, start_timeout_s=start_timeout_s)


def provider_of(cluster: Cluster, **options: Any) -> KubernetesProvider:
    return KubernetesProvider(kubeconfig=str(cluster.kubeconfig), **options)


async def make(
    sandboxes: AgentSandboxes, source: Source, report: Callable[[str], object] = lambda _step: None
) -> Pod:
    def tell(step: str) -> None:
        report(step)

    async with sandboxes.made(NAMESPACE, source, labels={"a": "b"}, report=tell) as pod:
        return pod


async def states(sandboxes: AgentSandboxes) -> list[str]:
    return [one.state async for one in sandboxes.listed(NAMESPACE, "sandbox-agent,a=b")]


@pytest.mark.parametrize("source", [TEMPLATE, POOL], ids=["template", "pool"])
async def test_one_is_made_suspended_resumed_and_removed(pool: Cluster, source: Source) -> None:
    sandboxes = sandboxes_of(pool)
    pod = await make(sandboxes, source)
    assert pod.maker is not None
    kind, name = pod.maker
    touched = await PodMachine(api_of(pool), pod).run("touch ~/kept", timeout_s=30)
    assert touched.exit_code == 0, touched.output
    (info,) = [one async for one in sandboxes.listed(NAMESPACE, "sandbox-agent,a=b")]
    known = {"namespace": NAMESPACE, "kind": kind, "port": 2468}
    assert (info.ref.id, info.state, info.ref.metadata) == (name, "running", known)

    await sandboxes.pause(NAMESPACE, name, kind)
    await sandboxes.pause(NAMESPACE, name, kind)
    with pytest.raises(SandboxAsleep):
        await sandboxes.find(NAMESPACE, name, kind)
    assert await states(sandboxes) == ["paused"]

    await sandboxes.resume(NAMESPACE, name, kind)
    again = await sandboxes.find(NAMESPACE, name, kind)
    assert again.uid != pod.uid
    assert (await PodMachine(api_of(pool), again).run("ls ~/kept", timeout_s=30)).exit_code == 0
    assert await states(sandboxes) == ["running"]

    await sandboxes.remove(NAMESPACE, name, kind)
    await sandboxes.remove(NAMESPACE, name, kind)
    with pytest.raises(SandboxNotFound):
        await sandboxes.find(NAMESPACE, name, kind)
    await asyncio.to_thread(pool.wait_for, "pods", again.name, lambda it: it is None)
    volumes = [one["metadata"]["name"] for one in pool.objects("persistentvolumeclaims")]
    assert f"home-{again.name}" not in volumes


async def test_a_claim_is_handed_a_pod_that_waits_and_the_pool_is_filled_again(
    pool: Cluster,
) -> None:
    waiting = {pod["metadata"]["uid"] for pod in pool.objects("pods")}
    pod = await make(sandboxes_of(pool), POOL)
    assert pod.uid in waiting
    (claim,) = pool.objects("sandboxclaims")
    # More would start a new Pod, or be refused: a controller takes labels for Pods of few domains only.
    assert claim["spec"] == {"warmPoolRef": {"name": "agents"}}
    await asyncio.to_thread(pool.wait_for, "sandboxwarmpools", "agents", is_warm)
    assert len(pool.objects("pods")) == SIZE + 1


async def test_what_waits_in_the_pool_is_nobodys_sandbox(pool: Cluster) -> None:
    assert await provider_of(pool).list() == []


@pytest.mark.slow
async def test_token_and_environment_come_when_it_is_handed_out_and_outlast_a_pause(
    pool: Cluster,
) -> None:
    provider = provider_of(pool, warm_pool="agents", server_port=3579)
    answer = await provider.preflight()
    assert f"{SIZE} of {SIZE} ready" in str(answer)
    async with SandboxAgent.start(provider, env={"KEY": "s3cret"}) as client:
        assert (await client.processes.run(["printenv", "KEY"])).stdout == "s3cret\n"
        kinds = ("sandboxclaims", "sandboxes", "pods", "secrets")
        shown = json.dumps([pool.objects(kind) for kind in kinds])
        assert "s3cret" not in shown
        assert client.token not in shown
        session = await client.create_session("mock")
        await session.prompt("text before")
        await client.sandbox.pause()
        # Whoever finds it in a list may have other options.
        (found,) = await provider_of(pool).list()
        assert (found.state, found.ref.id) == ("paused", client.sandbox.ref.id)
        assert (await session.prompt("text after")).stop_reason == "end_turn"
        assert (await client.processes.run(["printenv", "KEY"])).stdout == "s3cret\n"
        assert (await provider_of(pool).endpoint(found.ref)).token == client.token
    assert pool.objects("sandboxclaims") == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("InvalidMetadata", "labels that the cluster does not allow"),
        ("EnvVarsInjectionRejected", "which the template does not allow"),
        ("ClaimExpired", "is over"),
    ],
)
async def test_a_claim_that_is_refused_is_said_in_words_and_removed(
    idle: Cluster, reason: str, words: str
) -> None:
    condition = {"type": "Ready", "status": "False", "reason": reason, "message": "so it is"}

    async def refuse(step: str) -> None:
        name = step.split()[3]
        await asyncio.to_thread(idle.wait_for, "sandboxclaims", name, bool)
        idle.edit("sandboxclaims", name, lambda it: it.update(status={"conditions": [condition]}))

    async with asyncio.TaskGroup() as group:
        with pytest.raises(ProviderError, match=rf"{words}.*\({reason}: so it is\)"):
            await make(sandboxes_of(idle), POOL, lambda step: group.create_task(refuse(step)))
    assert idle.objects("sandboxclaims") == []


async def test_a_pool_that_is_not_there_is_said_when_the_time_is_over(cluster: Cluster) -> None:
    with pytest.raises(ProviderTimeout, match="ReconcilerError: the warm pool or its template"):
        await make(sandboxes_of(cluster, start_timeout_s=0.3), POOL)
    assert cluster.objects("sandboxclaims") == []


async def test_a_template_whose_command_ends_is_said_at_once(cluster: Cluster) -> None:
    made = agents_template(command=["/bin/sh", "-c", "exit 3"])
    made["spec"]["podTemplate"]["spec"]["restartPolicy"] = "Never"
    cluster.create("sandboxtemplates", made)
    with pytest.raises(ProviderError, match="see the template's `command`"):
        await make(sandboxes_of(cluster), TEMPLATE)
    assert cluster.objects("sandboxes") == []


async def test_without_a_controller_it_is_asked_whether_there_is_one(idle: Cluster) -> None:
    with pytest.raises(ProviderTimeout, match="does it run in this cluster"):
        await make(sandboxes_of(idle, start_timeout_s=0.2), POOL)
    assert idle.objects("sandboxclaims") == []


@pytest.mark.parametrize("source", [TEMPLATE, POOL], ids=["template", "pool"])
async def test_a_cluster_without_these_kinds_says_what_is_missing(
    make_cluster: Callable[..., Cluster], source: Source
) -> None:
    plain = make_cluster()
    with pytest.raises(ProviderError, match="does not have the controller of agents.x-k8s.io"):
        await make(sandboxes_of(plain), source)
    assert await states(sandboxes_of(plain)) == []


async def test_without_a_volume_it_is_not_suspended(cluster: Cluster) -> None:
    made = agents_template()
    del made["spec"]["volumeClaimTemplates"]
    made["spec"]["podTemplate"]["spec"]["volumes"] = [{"name": "home", "emptyDir": {}}]
    cluster.create("sandboxtemplates", made)
    sandboxes = sandboxes_of(cluster)
    pod = await make(sandboxes, TEMPLATE)
    with pytest.raises(CapabilityNotSupported, match="volumeClaimTemplates"):
        await sandboxes.pause(NAMESPACE, pod.name, SANDBOX)
    assert (await sandboxes.find(NAMESPACE, pod.name, SANDBOX)).uid == pod.uid


async def test_one_whose_time_is_over_is_stopped_and_says_so(pool: Cluster) -> None:
    sandboxes = sandboxes_of(pool)
    pod = await make(sandboxes, TEMPLATE)
    pool.edit("sandboxes", pod.name, lambda it: it["spec"].update(shutdownTime=PAST))
    await asyncio.to_thread(pool.wait_for, "pods", pod.name, lambda it: it is None)
    with pytest.raises(ProviderError, match="`shutdownTime`") as stopped:
        await sandboxes.find(NAMESPACE, pod.name, SANDBOX)
    assert stopped.value.details["state"] == "stopped"
    assert await states(sandboxes) == ["stopped"]
