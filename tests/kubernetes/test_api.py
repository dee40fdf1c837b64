"""The API server: who may ask, what lists and watches show, what conflicts, and what fails on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.config.incluster_config import InClusterConfigLoader
from support.kubernetes import Cluster

Manifest = Callable[..., dict[str, Any]]


@pytest.fixture
def secrets(core: client.CoreV1Api) -> Callable[..., Any]:
    def create(*names: str, **labels: str) -> None:
        for name in names:
            core.create_namespaced_secret("agents", {"metadata": {"name": name, "labels": labels}})

    return create


@pytest.mark.parametrize("context", ["token", "certificate", "exec"])
def test_each_way_to_log_in_works(cluster: Cluster, context: str) -> None:
    with config.new_client_from_config(str(cluster.kubeconfig), context=context) as api:
        assert client.CoreV1Api(api).list_namespaced_pod("agents").items == []
    assert cluster.requests[-1].user == "admin"


@pytest.mark.parametrize("context", ["wrong", "anonymous"])
def test_others_are_unauthorized(cluster: Cluster, context: str) -> None:
    api = config.new_client_from_config(str(cluster.kubeconfig), context=context)
    with api, pytest.raises(ApiException) as refused:
        client.CoreV1Api(api).list_namespaced_pod("agents")
    assert refused.value.status == 401


def test_a_pod_of_the_cluster_logs_in_with_its_files(cluster: Cluster) -> None:
    found = cluster.in_cluster
    loader = InClusterConfigLoader(
        str(found.token), str(found.authority), environ=found.environment
    )
    configuration = client.Configuration()
    loader.load_and_set(configuration)
    with client.ApiClient(configuration) as api:
        assert client.CoreV1Api(api).list_namespaced_pod("agents").items == []


def test_rules_are_those_of_a_role(cluster: Cluster, core: client.CoreV1Api) -> None:
    cluster.access.bind(
        [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}], namespace="agents"
    )
    assert core.list_namespaced_pod("agents").items == []
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_secret("agents")
    assert refused.value.status == 403
    assert (
        'User "admin" cannot list resource "secrets" in API group "" in the namespace "agents"'
        in json.loads(refused.value.body)["message"]
    )
    reviews = client.AuthorizationV1Api(core.api_client)
    for subresource, allowed in (("", True), ("exec", False)):
        attributes = {
            "namespace": "agents",
            "verb": "get",
            "resource": "pods",
            "subresource": subresource,
        }
        review = reviews.create_self_subject_access_review(
            {"spec": {"resourceAttributes": attributes}}
        )
        assert review.status.allowed is allowed


def test_lists_come_in_pages_and_by_selectors(
    cluster: Cluster, core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a", "b", "c", kind="x")
    secrets("d", kind="y")
    first = core.list_namespaced_secret("agents", label_selector="kind=x", limit=2)
    assert [it.metadata.name for it in first.items] == ["a", "b"]
    more = {"limit": 2, "_continue": first.metadata._continue}
    rest = core.list_namespaced_secret("agents", label_selector="kind=x", **more)
    assert [it.metadata.name for it in rest.items] == ["c"]
    assert rest.metadata._continue is None
    for selector, names in (
        ("kind in (x,y),kind!=x", ["d"]),
        ("!kind", []),
        ("kind notin (y)", ["a", "b", "c"]),
    ):
        assert [
            it.metadata.name
            for it in core.list_namespaced_secret("agents", label_selector=selector).items
        ] == names
    assert [
        it.metadata.name
        for it in core.list_namespaced_secret("agents", field_selector="metadata.name=b").items
    ] == ["b"]
    secrets("e")
    cluster.compact()
    with pytest.raises(ApiException) as expired:
        core.list_namespaced_secret("agents", **more)
    assert expired.value.status == 410


def test_a_watch_shows_what_comes_into_sight_and_leaves_it(
    core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a", kind="x")
    version = core.list_namespaced_secret("agents").metadata.resource_version
    core.patch_namespaced_secret("a", "agents", {"metadata": {"labels": {"kind": "y"}}})
    core.patch_namespaced_secret("a", "agents", {"metadata": {"labels": {"kind": "x"}}})
    core.delete_namespaced_secret("a", "agents")
    options = {"label_selector": "kind=x", "resource_version": version, "timeout_seconds": 1}
    seen = [
        event["type"]
        for event in watch.Watch().stream(core.list_namespaced_secret, "agents", **options)
    ]
    assert seen == ["DELETED", "ADDED", "DELETED"]


def lines(core: client.CoreV1Api, **options: Any) -> Iterator[dict[str, Any]]:
    response = core.list_namespaced_secret("agents", watch=True, _preload_content=False, **options)
    with response:
        for line in response:
            yield json.loads(line)


def test_a_watch_begins_with_what_there_is_and_a_bookmark(
    core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a")
    asked = {
        "send_initial_events": True,
        "resource_version_match": "NotOlderThan",
        "allow_watch_bookmarks": True,
    }
    added, bookmark = lines(core, timeout_seconds=0, **asked)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_watches_from_before_a_compaction_are_gone(
    cluster: Cluster, core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a", "b")
    cluster.compact()
    (only,) = lines(core, resource_version="1", timeout_seconds=5)
    assert (only["type"], only["object"]["code"]) == ("ERROR", 410)
    version = core.list_namespaced_secret("agents").metadata.resource_version
    opened = lines(core, timeout_seconds=5)
    assert [next(opened)["type"] for _ in range(2)] == ["ADDED", "ADDED"]
    cluster.expire_watches()
    assert next(opened)["object"]["reason"] == "Expired"
    opened.close()
    assert [each["type"] for each in lines(core, resource_version=version, timeout_seconds=5)] == [
        "ERROR"
    ]


def test_what_somebody_else_did_conflicts(
    core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a")
    stale = core.read_namespaced_secret("a", "agents")
    core.patch_namespaced_secret("a", "agents", {"metadata": {"labels": {"k": "v"}}})
    foreign = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    attempts: list[tuple[str, Callable[[], Any]]] = [
        ("AlreadyExists", lambda: secrets("a")),
        ("Conflict", lambda: core.replace_namespaced_secret("a", "agents", stale)),
        ("Conflict", lambda: core.delete_namespaced_secret("a", "agents", body=foreign)),
    ]
    for reason, attempt in attempts:
        with pytest.raises(ApiException) as refused:
            attempt()
        assert (refused.value.status, json.loads(refused.value.body)["reason"]) == (409, reason)


def test_bad_objects_are_refused(core: client.CoreV1Api, manifest: Manifest) -> None:
    for change, status in (
        ({"name": "Not_Good"}, 422),
        ({"name": "good", "labels": {"key": "no spaces"}}, 422),
        ({"name": "good", "labels": {"key": "x" * 64}}, 422),
        ({"name": "good", "namespace": "other"}, 400),
    ):
        with pytest.raises(ApiException) as refused:
            core.create_namespaced_pod("agents", {**manifest("web"), "metadata": change})
        assert refused.value.status == status
    with pytest.raises(ApiException) as nowhere:
        core.create_namespaced_pod("nowhere", manifest("web"))
    assert nowhere.value.status == 404


def test_requests_fail_on_demand(
    cluster: Cluster, core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    cluster.fail_next("create", "secrets", status=429, retry_after_s=0)
    cluster.fail_next("create", "secrets", status=503)
    for status in (429, 503):
        with pytest.raises(ApiException) as refused:
            secrets("a")
        assert refused.value.status == status
    assert "Retry-After" not in refused.value.headers
    cluster.cut_next("create", "secrets", cut="after")
    with pytest.raises(Exception, match=r"Connection|Remote"):
        secrets("a")
    with pytest.raises(ApiException) as exists:
        secrets("a")
    assert exists.value.status == 409
    assert cluster.count("create", "secrets") == 4


def test_a_collection_is_deleted_by_its_selector(
    cluster: Cluster, core: client.CoreV1Api, secrets: Callable[..., Any]
) -> None:
    secrets("a", "b", kind="x")
    secrets("c")
    core.delete_collection_namespaced_secret("agents", label_selector="kind=x")
    assert [it["metadata"]["name"] for it in cluster.objects("secrets")] == ["c"]
