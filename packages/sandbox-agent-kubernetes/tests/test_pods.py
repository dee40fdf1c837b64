"""A Pod's status and events, in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sandbox_agent_kubernetes.pods import Pod, memory_mb, waits_for

LIMIT = {"resources": {"limits": {"memory": "4Gi"}}}


def pod_of(status: dict[str, Any], **metadata: Any) -> Pod:
    container = {"name": "agent", "image": "img", **LIMIT}
    return Pod(
        {
            "metadata": {"name": "one", "namespace": "agents", "uid": "u", **metadata},
            "spec": {"containers": [{"name": "sidecar", "image": "x"}, container]},
            "status": status,
        }
    )


def container(**state: Any) -> dict[str, Any]:
    other = {"name": "sidecar", "state": {"running": {}}}
    return {"containerStatuses": [other, {"name": "agent", "state": state}]}


def test_it_runs_when_its_own_container_does() -> None:
    assert pod_of({"phase": "Running", **container(running={})}).state == "running"
    assert pod_of({"phase": "Running", **container(waiting={"reason": "x"})}).state == "unknown"
    going = pod_of({"phase": "Running", **container(running={})}, deletionTimestamp="now")
    assert (going.is_running, going.state) == (False, "stopped")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (container(terminated={"reason": "OOMKilled", "exitCode": 137}), "out of memory.*4Gi"),
        (container(terminated={"reason": "Error", "exitCode": 3}), "status 3"),
        ({"phase": "Failed", "reason": "Evicted", "message": "The node was low on x"}, "low on x"),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, "active_deadline_seconds"),
        (
            {
                "phase": "Failed",
                "conditions": [
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                        "message": "preempting",
                    }
                ],
            },
            "PreemptionByScheduler",
        ),
        (container(waiting={"reason": "ImagePullBackOff", "message": "not found"}), "'img' cannot be pulled"),
        (container(waiting={"reason": "CreateContainerConfigError", "message": "no secret"}), "no secret"),
        (
            {
                "initContainerStatuses": [
                    {"name": "copy", "state": {"waiting": {"reason": "InvalidImageName"}}}
                ],
                **container(waiting={"reason": "PodInitializing"}),
            },
            "InvalidImageName",
        ),
    ],
)  # fmt: skip
def test_why_it_will_not_run(status: dict[str, Any], words: str) -> None:
    why = pod_of({"phase": "Pending", **status}).why_hopeless
    assert why is not None
    assert re.search(words, why)


def test_what_it_waits_for_is_said_with_the_last_warning() -> None:
    pod = pod_of({"phase": "Pending", **container(waiting={"reason": "ContainerCreating"})})
    assert pod.why_hopeless is None
    events = [
        {"type": "Warning", "reason": "FailedMount", "message": "old", "lastTimestamp": "2026-01-01"},
        {"type": "Warning", "reason": "FailedMount", "message": "no disk", "lastTimestamp": "2026-01-02"},
        {"type": "Normal", "reason": "Pulled", "message": "fine", "lastTimestamp": "2026-01-03"},
    ]  # fmt: skip
    assert waits_for(pod, events).endswith("FailedMount: no disk")


@pytest.mark.parametrize(("secret", "is_hopeless"), [("one", False), ("another", True)])
def test_its_own_secret_comes_after_it_and_no_other(secret: str, is_hopeless: bool) -> None:
    message = f'secret "{secret}" not found'
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    pod = pod_of({"phase": "Pending", **container(waiting=waiting)})
    assert (pod.why_hopeless is not None) == is_hopeless


def test_a_pod_that_no_node_takes_waits() -> None:
    message = "0/1 nodes are available: 1 Insufficient memory."
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    pod = pod_of({"phase": "Pending", "conditions": [condition]})
    assert pod.why_hopeless is None
    event = {"type": "Warning", "reason": "FailedScheduling", "message": message}
    assert waits_for(pod, [event]).count(message) == 1


def test_when_it_ends_is_known_by_its_deadline() -> None:
    pod = pod_of({"startTime": "2026-01-01T00:00:00Z"})
    assert pod.ends_at is None
    limited = Pod({**pod.manifest, "spec": {"containers": [], "activeDeadlineSeconds": 3600}})
    assert limited.ends_at is not None
    assert limited.ends_at.isoformat() == "2026-01-01T01:00:00+00:00"


@pytest.mark.parametrize(
    ("quantity", "mb"),
    [("4Gi", 4096), ("512Mi", 512), ("1G", 10**9 / 2**20), ("2097152", 2), ("1.5Gi", 1536), ("4GB", None), ("", None)],
)  # fmt: skip
def test_quantities(quantity: str, mb: float | None) -> None:
    assert memory_mb(quantity) == mb
