"""The life of a Pod as a sandbox: what goes wrong at each step is said in words, and nothing is left behind."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import incluster_config
from sandbox_agent_core.errors import (
    CapabilityNotSupported,
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    ProviderTimeout,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning import calls
from sandbox_agent_kubernetes import cluster as login
from sandbox_agent_kubernetes.cluster import Cluster as Api
from sandbox_agent_kubernetes.machine import PodMachine
from sandbox_agent_kubernetes.manifests import HOME, PodOptions
from sandbox_agent_kubernetes.plain_pods import PlainPods
from sandbox_agent_kubernetes.pods import PODS, Pod
from sandbox_agent_kubernetes.reaching import Reach
from support.kubernetes import Cluster

NAMESPACE = "agents"
OURS = "sandbox-agent"
KINDS = ("pods", "secrets", "services", "persistentvolumeclaims")
Make = Callable[..., Any]


def pods_of(cluster: Cluster, *, start_timeout_s: float = 20, **options: Any) -> PlainPods:
    reach = Reach(way=options.pop("reach", "port-forward"), server_port=2468)
    api = api_of(cluster, kubeconfig=options.pop("kubeconfig", str(cluster.kubeconfig)))
    given = PodOptions(**{"image": "sandbox-agent", "server_port": 2468, **options})
    return PlainPods(api, given, reach, start_timeout_s=start_timeout_s)


def api_of(cluster: Cluster, **options: Any) -> Api:
    given = {"kubeconfig": str(cluster.kubeconfig), "context": None, "namespace": None}
    return Api(**{**given, **options})


def left(cluster: Cluster) -> list[str]:
    """What neither goes nor goes with another."""
    found = [one["metadata"] for kind in KINDS for one in cluster.objects(kind)]
    going = {one["uid"] for one in found if "deletionTimestamp" in one}
    stay = [one for one in found if one["uid"] not in going]
    return [
        one["name"]
        for one in stay
        if not going & {owner["uid"] for owner in one.get("ownerReferences", ())}
    ]


async def run(cluster: Cluster, pod: Pod, script: str) -> str:
    return (await PodMachine(api_of(cluster), pod).run(script, timeout_s=30)).stdout


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
async def make(cluster: Cluster) -> AsyncIterator[Make]:
    """A Pod that runs, which ends with the test."""
    async with AsyncExitStack() as ends:

        async def make(pods: PlainPods, **options: Any) -> Pod:
            given = {"env": {}, "labels": {}, "report": lambda _step: None, **options}
            pod: Pod = await ends.enter_async_context(pods.made(NAMESPACE, **given))
            ends.push_async_callback(pods.remove, NAMESPACE, pod.name)
            return pod

        yield make


async def test_token_and_environment_are_in_a_secret_that_goes_with_the_pod(
    cluster: Cluster, make: Make
) -> None:
    pod = await make(pods_of(cluster), env={"KEY": "s3cret"})
    assert pod.token is not None
    assert await run(cluster, pod, 'printf %s "$KEY $SANDBOX_AGENT_TOKEN"') == f"s3cret {pod.token}"
    secret = cluster.get("secrets", pod.name)
    assert secret is not None
    assert base64.b64decode(secret["data"]["KEY"]) == b"s3cret"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", pod.uid)
    shown = json.dumps(cluster.get("pods", pod.name))
    assert "s3cret" not in shown
    assert pod.token not in shown
    assert pod.token not in repr(pod)


async def test_nobody_of_the_cluster_is_in_it_and_its_home_can_be_written(
    cluster: Cluster, make: Make
) -> None:
    pod = await make(pods_of(cluster))
    assert (await run(cluster, pod, 'id -u; touch "$HOME/x" && echo "$HOME"')).split() == [
        "1000",
        HOME,
    ]
    assert not (await run(cluster, pod, "ls /var/run/secrets/kubernetes.io 2>/dev/null")).strip()


async def test_an_image_that_cannot_be_pulled_ends_the_start_at_once(
    cluster: Cluster, make: Make
) -> None:
    cluster.lose_image("sandbox-agent")
    with pytest.raises(ProviderError, match="'sandbox-agent' cannot be pulled.*not found"):
        await make(pods_of(cluster))
    assert left(cluster) == []


async def test_what_no_node_takes_is_waited_for_and_then_said(cluster: Cluster, make: Make) -> None:
    steps: list[str] = []
    cluster.resize(memory="512Mi")
    pods = pods_of(cluster, start_timeout_s=0.3, requests={"memory": "900Gi"})
    with pytest.raises(ProviderTimeout, match="no node takes it: .*Insufficient memory"):
        await make(pods, report=steps.append)
    assert any("Insufficient memory" in step for step in steps)
    assert left(cluster) == []


async def test_a_pod_that_the_namespace_refuses_is_an_option_that_is_wrong(
    cluster: Cluster, make: Make
) -> None:
    with pytest.raises(InvalidRequest, match="Pod Security"):
        await make(pods_of(cluster, pod_security="baseline"))
    assert left(cluster) == []


@pytest.mark.parametrize("kind", ["secrets", "pods"])
async def test_an_answer_that_never_comes_leaves_nothing(
    cluster: Cluster, make: Make, kind: str
) -> None:
    cluster.cut_next("create", kind, cut="after")
    with pytest.raises(ProviderError):
        await make(pods_of(cluster, storage="1Gi"))
    assert left(cluster) == []


async def test_too_many_requests_are_made_again(cluster: Cluster, make: Make) -> None:
    cluster.fail_next("create", "pods", status=429, times=2)
    cluster.fail_next("get", "pods", status=500)
    await make(pods_of(cluster))
    assert cluster.count("create", "pods") == 3


async def test_one_that_was_out_of_memory_says_so(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster, limits={"memory": "4Gi"})
    pod = await make(pods)
    cluster.kill_for_memory(pod.name)
    cluster.wait_for("pods", pod.name, lambda it: it["status"]["phase"] == "Failed")
    with pytest.raises(ProviderError, match="out of memory.*4Gi") as caught:
        await pods.find(NAMESPACE, pod.name)
    assert caught.value.details["state"] == "stopped"
    assert [info.state async for info in pods.listed(NAMESPACE, OURS)] == ["stopped"]


async def test_one_that_was_evicted_comes_back_on_its_volume(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster, storage="1Gi")
    pod = await make(pods, labels={"mine": "yes"})
    await run(cluster, pod, 'echo kept >"$HOME/file"; echo lost >/tmp/file')
    cluster.evict(pod.name)
    cluster.wait_for("pods", pod.name, lambda it: it["status"]["phase"] == "Failed")
    with pytest.raises(SandboxAsleep, match="low on resource"):
        await pods.find(NAMESPACE, pod.name)
    await pods.resume(NAMESPACE, pod.name)
    again = await pods.find(NAMESPACE, pod.name)
    assert again.labels["mine"] == "yes"
    script = 'cat "$HOME/file"; ls /tmp/file; printf %s "$SANDBOX_AGENT_TOKEN"'
    assert (await run(cluster, again, script)).split() == ["kept", str(pod.token)]


async def test_two_that_wake_it_at_once_get_one_pod(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster, storage="1Gi")
    pod = await make(pods)
    await pods.pause(NAMESPACE, pod.name)
    await pods.pause(NAMESPACE, pod.name)
    assert [info.state async for info in pods.listed(NAMESPACE, OURS)] == ["stopped"]
    await asyncio.gather(*(pods.resume(NAMESPACE, pod.name) for _ in range(2)))
    assert len(cluster.objects("pods")) == 1


async def test_a_quota_that_is_being_counted_is_not_somebody_else(
    cluster: Cluster, make: Make
) -> None:
    pods = pods_of(cluster, storage="1Gi")
    pod = await make(pods)
    await pods.pause(NAMESPACE, pod.name)
    message = (
        'Operation cannot be fulfilled on resourcequotas "compute": the object has been modified'
    )
    cluster.fail_next("create", "pods", status=409, message=message)
    with pytest.raises(ProviderError, match="resourcequotas"):
        await pods.resume(NAMESPACE, pod.name)


async def test_without_a_volume_it_cannot_be_paused_and_goes_on(
    cluster: Cluster, make: Make
) -> None:
    pods = pods_of(cluster)
    pod = await make(pods)
    with pytest.raises(CapabilityNotSupported, match="storage="):
        await pods.pause(NAMESPACE, pod.name)
    assert (await pods.find(NAMESPACE, pod.name)).is_running
    with pytest.raises(SandboxNotFound):
        await pods.pause(NAMESPACE, "never-was")


async def test_the_policy_is_one_for_all_and_stays(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster)
    for pod in (await make(pods), await make(pods)):
        await pods.remove(NAMESPACE, pod.name)
    (policy,) = cluster.objects("networkpolicies")
    assert policy["spec"]["ingress"] == []


async def test_a_service_goes_with_its_sandbox(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster, reach="service")
    pod = await make(pods)
    service = cluster.get("services", pod.name)
    assert service is not None
    assert service["metadata"]["ownerReferences"][0]["uid"] == pod.uid
    await pods.remove(NAMESPACE, pod.name)
    assert left(cluster) == []


async def test_who_has_no_volumes_needs_no_right_to_them(cluster: Cluster, make: Make) -> None:
    for verb in ("get", "list", "delete", "create"):
        cluster.access.deny(verb, "persistentvolumeclaims")
    pods = pods_of(cluster)
    pod = await make(pods)
    assert len([info async for info in pods.listed(NAMESPACE, OURS)]) == 1
    await pods.remove(NAMESPACE, pod.name)
    with pytest.raises(SandboxNotFound):
        await pods.find(NAMESPACE, pod.name)


async def test_a_list_tells_where_each_server_listens(cluster: Cluster, make: Make) -> None:
    pods = pods_of(cluster, storage="1Gi", server_port=3579)
    pod = await make(pods)
    known = {"namespace": NAMESPACE, "port": 3579}
    assert [info.ref.metadata async for info in pods.listed(NAMESPACE, OURS)] == [known]
    await pods.pause(NAMESPACE, pod.name)
    assert [info.ref.metadata async for info in pods.listed(NAMESPACE, OURS)] == [known]
    annotations = {"sandbox-agent/port": "not a port"}
    cluster.edit("persistentvolumeclaims", pod.name, lambda it: _annotate(it, annotations))
    (info,) = [one async for one in pods.listed(NAMESPACE, OURS)]
    assert info.ref.metadata == {"namespace": NAMESPACE}


def _annotate(it: dict[str, Any], annotations: dict[str, str]) -> None:
    it["metadata"]["annotations"].update(annotations)


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        ({}, {"pods"}),
        ({"storage": "1Gi"}, {"pods", "persistentvolumeclaims"}),
        ({"reach": "service"}, {"pods"}),
    ],
    ids=["plain", "storage", "service"],
)
async def test_few_requests_remove_one(
    cluster: Cluster, make: Make, options: dict[str, Any], requests: set[str]
) -> None:
    pod = await make(pods_of(cluster, **options))
    other = pods_of(cluster)  # of one who has only heard of it
    await other.remove(NAMESPACE, pod.name)
    asked = [one.resource for one in cluster.requests if one.verb == "delete"]
    assert set(asked) == requests
    assert len(asked) == len(set(asked))
    cluster.wait_for("pods", pod.name, lambda it: it is None)
    assert [one for kind in KINDS for one in cluster.objects(kind)] == []


@pytest.mark.parametrize("storage", [None, "1Gi"])
async def test_whenever_its_maker_dies_a_list_shows_what_has_to_go(
    cluster: Cluster, make: Make, storage: str | None
) -> None:
    pods = pods_of(cluster, storage=storage, reach="service")
    await make(pods)
    made = [one for one in cluster.requests if one.verb == "create" and one.resource in KINDS]
    first = "persistentvolumeclaims" if storage else "pods"
    assert made[0].resource == first
    owners = [cluster.objects(kind)[0]["metadata"]["ownerReferences"] for kind in KINDS[1:3]]
    assert {owner["uid"] for (owner,) in owners} == {cluster.objects(first)[0]["metadata"]["uid"]}
    assert not any(one.verb == "patch" for one in cluster.requests)


async def test_a_pod_that_is_refused_has_nothing_beside_it(cluster: Cluster, make: Make) -> None:
    cluster.fail_next("create", "pods", status=422)
    with pytest.raises(InvalidRequest):
        await make(pods_of(cluster, reach="service"))
    assert cluster.count("create", "secrets") == cluster.count("create", "services") == 0


async def test_ten_thousand_are_listed_page_by_page(cluster: Cluster) -> None:
    """As few as tell, past the first page."""
    cluster.insert_pods(1001, labels={OURS: "1"})
    pages = [len(page) async for page in api_of(cluster).pages(PODS, NAMESPACE, selector=OURS)]
    assert pages == [500, 500, 1]


async def test_a_list_goes_on_where_it_was_when_the_cluster_has_forgotten_its_beginning(
    cluster: Cluster,
) -> None:
    cluster.insert_pods(501, labels={OURS: "1"})
    names = []
    async for page in api_of(cluster).pages(PODS, NAMESPACE, selector=OURS):
        names += [one["metadata"]["name"] for one in page]
        cluster.create("services", {"metadata": {"name": f"new-{len(names)}"}})
        cluster.compact()
    assert len(set(names)) == len(names) == 501


async def test_a_list_that_cannot_go_on_is_an_error(cluster: Cluster) -> None:
    cluster.fail_next("list", "pods", status=410)
    with pytest.raises(ProviderError):
        _ = [one async for one in api_of(cluster).pages(PODS, NAMESPACE, selector=OURS)]


@pytest.mark.parametrize("context", ["token", "certificate", "exec"])
async def test_whoever_kubectl_is_may_ask(cluster: Cluster, context: str) -> None:
    api = api_of(cluster, context=context)
    assert await api.namespace() == NAMESPACE
    assert (await api.request("GET", "/version"))["major"] == "1"


async def test_a_context_is_enough_where_none_is_the_current_one(
    cluster: Cluster, tmp_path: Path
) -> None:
    known = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    del known["current-context"]
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(known), encoding="utf-8")
    api = api_of(cluster, kubeconfig=str(file), context="token")
    assert await api.namespace() == NAMESPACE
    assert "'token'" in await api.where()
    assert (await api.request("GET", "/version"))["major"] == "1"


@pytest.mark.parametrize("context", ["wrong", "anonymous", "no-such-context"])
async def test_who_is_not_known_is_told_to_log_in(cluster: Cluster, context: str) -> None:
    with pytest.raises(ProviderAuthError):
        await api_of(cluster, context=context).request("GET", "/api/v1/namespaces/agents/pods")


async def test_in_a_pod_its_own_account_asks(
    cluster: Cluster, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = cluster.in_cluster
    for name, value in {**account.environment, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(account.token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(account.authority))
    monkeypatch.setattr(login, "_IN_CLUSTER_NAMESPACE", account.namespace)
    api = api_of(cluster, kubeconfig=None)
    assert await api.namespace() == NAMESPACE
    assert "own account" in await api.where()
    pod = await make(pods_of(cluster, kubeconfig=None))
    assert (await PodMachine(api, pod).run("echo here", timeout_s=30)).stdout == "here\n"


async def test_without_a_configuration_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ProviderAuthError, match="KUBECONFIG"):
        await Api(kubeconfig=None, context=None, namespace=None).namespace()
