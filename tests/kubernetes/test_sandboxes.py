"""The controllers of agents.x-k8s.io: suspend and resume, pools, and claims that are handed one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from support.kubernetes import Cluster

SANDBOXES = ("agents.x-k8s.io", "v1beta1", "agents", "sandboxes")
EXTENSIONS = ("extensions.agents.x-k8s.io", "v1beta1", "agents")

POD = {
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "agent", "image": "debian"}],
    }
}


@pytest.fixture
def cluster(make_kubernetes_cluster: Callable[..., Cluster]) -> Cluster:
    return make_kubernetes_cluster(agent_sandbox=True)


@pytest.fixture
def custom(cluster: Cluster) -> Iterator[client.CustomObjectsApi]:
    with config.new_client_from_config(str(cluster.kubeconfig)) as api:
        yield client.CustomObjectsApi(api)


@pytest.fixture
def pool(custom: client.CustomObjectsApi) -> Callable[..., None]:
    def make(replicas: int, **template: Any) -> None:
        make = custom.create_namespaced_custom_object
        make(
            *EXTENSIONS,
            "sandboxtemplates",
            {"metadata": {"name": "base"}, "spec": {"podTemplate": POD, **template}},
        )
        spec = {"replicas": replicas, "sandboxTemplateRef": {"name": "base"}}
        make(*EXTENSIONS, "sandboxwarmpools", {"metadata": {"name": "pool"}, "spec": spec})

    return make


@pytest.fixture
def claim(custom: client.CustomObjectsApi) -> Callable[..., None]:
    def make(name: str, **spec: Any) -> None:
        body = {"metadata": {"name": name}, "spec": {"warmPoolRef": {"name": "pool"}, **spec}}
        custom.create_namespaced_custom_object(*EXTENSIONS, "sandboxclaims", body)

    return make


def reason(it: dict[str, Any] | None, type_: str = "Ready") -> str:
    conditions = ((it or {}).get("status") or {}).get("conditions") or []
    return next((each["reason"] for each in conditions if each["type"] == type_), "")


def is_ready(it: dict[str, Any]) -> bool:
    return reason(it) == "DependenciesReady"


def test_a_suspended_sandbox_keeps_its_volume_and_nothing_else(
    cluster: Cluster, custom: client.CustomObjectsApi, execute: Callable[..., tuple[int, str, str]]
) -> None:
    container = {
        "name": "agent",
        "image": "debian",
        "volumeMounts": [{"name": "work", "mountPath": "/workspace"}],
    }
    spec = {
        "podTemplate": {"spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}},
        "volumeClaimTemplates": [
            {"metadata": {"name": "work"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
        ],
    }
    custom.create_namespaced_custom_object(*SANDBOXES, {"metadata": {"name": "box"}, "spec": spec})
    cluster.wait_for("sandboxes", "box", is_ready)
    execute("box", "sh", "-c", "echo kept >/workspace/file; touch /tmp/file")
    custom.patch_namespaced_custom_object(
        *SANDBOXES, "box", {"spec": {"operatingMode": "Suspended"}}
    )
    suspended = cluster.wait_for(
        "sandboxes", "box", lambda it: reason(it, "Suspended") == "PodTerminated"
    )
    assert reason(suspended) == "SandboxSuspended"
    assert cluster.objects("pods") == []
    assert [it["metadata"]["name"] for it in cluster.objects("persistentvolumeclaims")] == [
        "work-box"
    ]
    custom.patch_namespaced_custom_object(*SANDBOXES, "box", {"spec": {"operatingMode": "Running"}})
    cluster.wait_for("sandboxes", "box", is_ready)
    assert execute("box", "sh", "-c", "cat /workspace/file; test -e /tmp/file") == (1, "kept\n", "")
    custom.delete_namespaced_custom_object(*SANDBOXES, "box")
    cluster.wait_for("persistentvolumeclaims", "work-box", lambda it: it is None)
    cluster.wait_for("pods", "box", lambda it: it is None)


def test_a_claim_takes_one_of_the_pool_which_is_filled_again(
    cluster: Cluster,
    pool: Callable[..., None],
    claim: Callable[..., None],
    custom: client.CustomObjectsApi,
) -> None:
    pool(1)
    cluster.wait_for(
        "sandboxwarmpools", "pool", lambda it: (it.get("status") or {}).get("readyReplicas") == 1
    )
    (warm,) = [it["metadata"]["name"] for it in cluster.objects("sandboxes")]
    claim("mine", additionalPodMetadata={"labels": {"team": "a"}})
    mine = cluster.wait_for("sandboxclaims", "mine", is_ready)
    assert mine["status"]["sandbox"]["name"] == warm
    taken = cluster.get("sandboxes", warm)
    assert taken is not None
    assert taken["metadata"]["labels"]["agents.x-k8s.io/launch-type"] == "warm"
    assert taken["metadata"]["labels"]["agents.x-k8s.io/claim-uid"] == mine["metadata"]["uid"]
    pod = cluster.get("pods", warm)
    assert pod is not None
    assert pod["metadata"]["labels"]["team"] == "a"
    cluster.wait_for("sandboxwarmpools", "pool", lambda it: it["status"]["readyReplicas"] == 1)
    assert len(cluster.objects("sandboxes")) == 2
    custom.delete_namespaced_custom_object(*EXTENSIONS, "sandboxclaims", "mine")
    cluster.wait_for("pods", warm, lambda it: it is None)


def test_environment_in_a_claim_starts_cold(
    cluster: Cluster,
    pool: Callable[..., None],
    claim: Callable[..., None],
    execute: Callable[..., tuple[int, str, str]],
) -> None:
    pool(1, envVarsInjectionPolicy="Allowed")
    cluster.wait_for(
        "sandboxwarmpools", "pool", lambda it: (it.get("status") or {}).get("readyReplicas") == 1
    )
    claim("mine", env=[{"name": "KEY", "value": "v"}])
    mine = cluster.wait_for("sandboxclaims", "mine", is_ready)
    assert mine["status"]["sandbox"]["name"] == "mine"
    assert execute("mine", "sh", "-c", "echo $KEY")[1] == "v\n"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"env": [{"name": "KEY", "value": "v"}]}, "EnvVarsInjectionRejected"),
        ({"volumeClaimTemplates": [{"metadata": {"name": "w"}}]}, "VolumeClaimTemplatesError"),
        ({"additionalPodMetadata": {"labels": {"app.kubernetes.io/name": "x"}}}, "InvalidMetadata"),
        ({"warmPoolRef": {"name": "none"}}, "ReconcilerError"),
    ],
)
def test_claims_are_refused(
    cluster: Cluster,
    pool: Callable[..., None],
    claim: Callable[..., None],
    spec: dict[str, Any],
    why: str,
) -> None:
    pool(0)
    claim("mine", **spec)
    cluster.wait_for("sandboxclaims", "mine", lambda it: reason(it) == why)


def test_time_runs_out(cluster: Cluster, custom: client.CustomObjectsApi) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, policy in (("kept", "Retain"), ("gone", "Delete")):
        spec = {"podTemplate": POD, "shutdownTime": soon, "shutdownPolicy": policy}
        custom.create_namespaced_custom_object(
            *SANDBOXES, {"metadata": {"name": name}, "spec": spec}
        )
    cluster.wait_for("sandboxes", "kept", lambda it: reason(it) == "SandboxExpired")
    cluster.wait_for("sandboxes", "gone", lambda it: it is None)


def test_a_cluster_without_these_kinds_says_so(
    make_kubernetes_cluster: Callable[..., Cluster],
) -> None:
    plain = make_kubernetes_cluster()
    with config.new_client_from_config(str(plain.kubeconfig)) as api:
        with pytest.raises(ApiException) as missing:
            client.CustomObjectsApi(api).list_namespaced_custom_object(*SANDBOXES)
        groups = {group.name for group in client.ApisApi(api).get_api_versions().groups}
    assert missing.value.status == 404
    assert "agents.x-k8s.io" not in groups
