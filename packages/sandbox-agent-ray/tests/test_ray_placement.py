from __future__ import annotations

import math

import pytest
from sandbox_agent_client import InvalidRequest
from sandbox_agent_ray import RayEngine
from sandbox_agent_ray.placement import room_for

HEAD = {"CPU": 4.0, "memory": 1e9}
WORKER = {"CPU": 2.0, "sandbox": 3.0}


@pytest.mark.parametrize(
    ("asked", "room"),
    [
        ({"CPU": 1}, 6),
        ({"CPU": 0.1}, 60),
        ({"CPU": 0.1, "sandbox": 1}, 3),
        ({"CPU": 1, "sandbox": 1}, 2),
        ({"CPU": 0}, math.inf),
    ],
)
def test_the_room_of_a_cluster_is_that_of_its_nodes(asked: dict[str, float], room: float) -> None:
    assert room_for(asked, [HEAD, WORKER]) == room


@pytest.mark.parametrize("asked", [{"gpu": 1}, {"sandbox": 4}, {"CPU": 3, "sandbox": 1}])
def test_what_no_node_can_hold_is_said_and_not_waited_for(asked: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        room_for(asked, [HEAD, WORKER])
    assert refused.value.details["asked"] == asked
    assert next(iter(asked)) in refused.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"resources": "sandbox"},
        {"resources": {"sandbox": "one"}},
        {"resources": {"sandbox": -1}},
        {"num_cpus": True},
        {"num_cpus": math.nan},
    ],
)
def test_resources_are_numbers(options: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        RayEngine(concurrency=1, **options)  # type: ignore[arg-type]
