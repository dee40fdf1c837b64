"""Thousands of sandboxes: how much is asked of the cluster for them, and how much of it at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.inventory import (
    Item,
    destroy_all,
    is_orphan,
    take_inventory,
)
from sandbox_agent_kubernetes import KubernetesProvider
from support.kubernetes import Cluster

MANY = 2_000
PAGES = 4
OURS = {"sandbox-agent": "1"}


@pytest.mark.slow
async def test_two_thousand_are_listed_and_swept_with_few_requests(cluster: Cluster) -> None:
    cluster.insert_pods(MANY, labels=OURS)
    cluster.create("pods", _kept())
    provider = KubernetesProvider(kubeconfig=str(cluster.kubeconfig))
    inventory = await take_inventory([provider])
    assert inventory.problems == {}
    assert len(inventory.items) == MANY + 1
    orphans = [
        item
        for item in inventory.items
        if is_orphan(item.info, now=datetime.now(UTC), older_than=timedelta())
    ]
    problems: list[SandboxAgentError] = []
    cluster.fail_next("delete", "pods", status=403)

    def told(_item: Item, problem: SandboxAgentError | None) -> None:
        if problem is not None:
            problems.append(problem)

    await destroy_all(orphans, told=told)
    assert [problem.details["status"] for problem in problems] == [403]
    assert len(cluster.objects("pods")) == 2
    asked = Counter((one.verb, one.resource) for one in cluster.requests)
    assert asked["list", "pods"] == PAGES + 1
    assert asked["list", "persistentvolumeclaims"] == 1
    assert asked["delete", "pods"] == MANY
    others = {verb for verb, _resource in asked} - {"list", "delete"}
    assert others <= {""}, asked


def _kept() -> dict[str, object]:
    return {
        "metadata": {"name": "kept", "labels": {**OURS, "sandbox-agent-kept": "1"}},
        "spec": {"nodeName": "another-node", "containers": [{"name": "agent", "image": "debian"}]},
        "status": {"phase": "Running"},
    }
