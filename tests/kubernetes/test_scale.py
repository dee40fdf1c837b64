"""Ten thousand Pods: listed in pages, watched and swept."""

from __future__ import annotations

import json

import pytest
from kubernetes import client
from support.kubernetes import Cluster


@pytest.mark.slow
def test_ten_thousand_pods_are_listed_watched_and_swept(
    cluster: Cluster, core: client.CoreV1Api
) -> None:
    cluster.insert_pods(10_000, labels={"mine": "1"})
    names: list[str] = []
    options: dict[str, str] = {}
    while True:
        answer = core.list_namespaced_pod(
            "agents", label_selector="mine=1", limit=500, _preload_content=False, **options
        )
        page = json.loads(answer.data)
        names += [it["metadata"]["name"] for it in page["items"]]
        if "continue" not in page["metadata"]:
            break
        options = {"_continue": page["metadata"]["continue"]}
    assert len(names) == len(set(names)) == 10_000
    version = page["metadata"]["resourceVersion"]
    core.api_client.call_api(
        "DELETE",
        f"{cluster.url}/api/v1/namespaces/agents/pods?labelSelector=mine%3D1",
        header_params={"Authorization": f"Bearer {cluster.access.token()}"},
    )
    assert cluster.objects("pods") == []
    with core.list_namespaced_pod(
        "agents", watch=True, resource_version=version, timeout_seconds=1, _preload_content=False
    ) as seen:
        assert sum(json.loads(line)["type"] == "DELETED" for line in seen) == 10_000
