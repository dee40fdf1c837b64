"""What is told of MCP servers: each change once, in one set of words, and those that hang."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.events import McpStatus, parse_event
from sandbox_agent_core.frames import extensions
from sandbox_agent_server.agents.native.mcp import SLOW_S, McpServers


class Told:
    def __init__(self) -> None:
        self.now = 0.0
        self.servers = McpServers(clock=lambda: self.now)

    def read(self, *servers: dict[str, Any]) -> list[dict[str, Any]]:
        return [_params(frame) for frame in self.servers.read(list(servers))]


def _params(frame: dict[str, Any]) -> dict[str, Any]:
    assert frame["method"] == extensions.MCP_STATUS
    data: dict[str, Any] = frame["params"]
    assert isinstance(parse_event({"type": "mcp.status", "time": "2026-01-01T00:00:00Z", "seq": 1,
                                   "sessionId": "s", "sender": "agent", "data": data}), McpStatus)  # fmt: skip
    return data


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("starting", "pending"),
        ("pending", "pending"),
        ("ready", "connected"),
        ("connected", "connected"),
        ("needs_client_registration", "needs-auth"),
        ("needs-auth", "needs-auth"),
        ("disabled", "disabled"),
        ("cancelled", "failed"),
    ],
)
def test_the_words_of_the_agents_are_ours(word: str, status: str) -> None:
    assert Told().read({"name": "a", "status": word}) == [{"server": "a", "status": status}]


def test_a_word_that_nobody_knows_is_a_failure_with_that_word() -> None:
    (told,) = Told().read({"name": "a", "status": "melted"})
    assert told == {"server": "a", "status": "failed", "error": "melted"}


def test_a_change_is_told_once_and_what_is_told_in_passing_takes_nothing_away() -> None:
    told = Told()
    assert (
        len(told.read({"name": "a", "status": "pending"}, {"name": "b", "status": "pending"})) == 2
    )
    full = {"name": "a", "status": "connected", "tools": [{}, {}]}
    assert told.read(full) == [{"server": "a", "status": "connected", "tools": 2}]
    assert told.read(full, {"name": "a", "status": "connected"}) == []
    failed = told.read(
        {"name": "b", "status": "failed", "error": "gone"}, {"name": "b", "status": "failed"}
    )
    assert failed == [{"server": "b", "status": "failed", "error": "gone"}]
    assert not told.servers.are_pending


def test_one_that_hangs_is_slow_until_it_is_not() -> None:
    told = Told()
    told.read({"name": "a", "status": "starting"})
    told.now = SLOW_S - 0.1
    assert told.servers.find_slow() == []
    told.now = SLOW_S
    assert [_params(frame) for frame in told.servers.find_slow()] == [
        {"server": "a", "status": "slow"}
    ]
    assert told.servers.find_slow() == told.read({"name": "a", "status": "starting"}) == []
    assert told.read({"name": "a", "status": "ready"}) == [{"server": "a", "status": "connected"}]
    assert told.servers.find_slow() == []


@pytest.mark.parametrize("odd", [None, 7, "x", [1], [{}], [{"name": 5}], {"name": "a"}])
def test_what_is_no_list_of_servers_tells_nothing(odd: Any) -> None:
    assert McpServers().read(odd) == []


async def test_it_is_asked_until_all_have_started() -> None:
    answers = iter(["pending", "pending", "connected"])
    frames: list[dict[str, Any]] = []

    async def ask() -> Any:
        return [{"name": "a", "status": next(answers)}]

    await McpServers().watch(ask, frames.extend)
    assert [frame["params"]["status"] for frame in frames] == ["pending", "connected"]
    assert next(answers, None) is None
