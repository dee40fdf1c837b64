"""Agents that are kept ready: always for the newest workspace, never more than wanted, never in a loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_server.agents.runner.pool import AgentPool, pool_sizes
from sandbox_agent_server.settings import Settings
from support.scripted_adapter import ScriptedAdapter, silence

HERE, THERE = Path("/here"), Path("/there")


async def settled() -> None:
    """Everything that the loop had to do is done."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


@pytest.fixture
async def pool_of(acme: Any) -> AsyncIterator[Callable[[int], AgentPool]]:
    pools: list[AgentPool] = []

    def pool_of(size: int) -> AgentPool:
        pool = AgentPool(
            acme.factory(), {"acme": size}, cwd=HERE, client_version="1", on_process=lambda _: None
        )
        pools.append(pool)
        return pool

    yield pool_of
    for pool in pools:
        await pool.close()
    assert all(adapter.is_closed for adapter in acme.made)


PoolOf = Callable[[int], AgentPool]


async def test_as_many_as_wanted_are_opened_and_one_that_is_taken_is_made_up_for(
    acme: Any, pool_of: PoolOf
) -> None:
    pool = pool_of(2)
    pool.fill()
    pool.fill()
    await settled()
    assert [adapter.methods for adapter in acme.made] == [["initialize", "session/new"]] * 2

    agent = pool.take("acme", HERE)
    await settled()

    assert agent is not None
    assert list(agent.pids) == [1002]
    assert len(acme.made) == 3
    await agent.close()


async def test_of_an_agent_that_is_not_kept_there_is_none(acme: Any, pool_of: PoolOf) -> None:
    pool = pool_of(0)
    pool.fill()

    assert pool.take("acme", HERE) is None
    assert pool.take("mock", HERE) is None
    await settled()
    assert acme.made == []


async def test_those_for_another_workspace_are_stopped_and_made_anew(
    acme: Any, pool_of: PoolOf
) -> None:
    pool = pool_of(1)
    pool.fill()
    await settled()

    assert pool.take("acme", THERE) is None
    await settled()

    assert acme.made[0].is_closed
    assert [context.cwd for context in acme.contexts] == [HERE, THERE]
    taken = pool.take("acme", THERE)
    assert taken is not None
    await taken.close()


async def test_one_that_opens_while_the_workspace_changes_is_stopped(
    acme: Any, pool_of: PoolOf
) -> None:
    pool = pool_of(1)
    pool.fill()

    assert pool.take("acme", THERE) is None
    await settled()

    assert [adapter.is_closed for adapter in acme.made] == [True, False]
    assert acme.contexts[-1].cwd == THERE


async def test_one_that_died_waiting_comes_back_with_the_next_session_only(
    acme: Any, pool_of: PoolOf
) -> None:
    pool = pool_of(1)
    pool.fill()
    await settled()
    acme.made[0].die(1)
    await settled()
    assert len(acme.made) == 1

    assert pool.take("acme", HERE) is None
    await settled()

    assert len(acme.made) == 2


async def test_one_that_cannot_start_is_told_once_and_not_tried_in_a_loop(
    acme: Any, pool_of: PoolOf, caplog: pytest.LogCaptureFixture
) -> None:
    acme.make = lambda: ScriptedAdapter(start_error=AgentStartFailed("it is broken"))
    pool = pool_of(1)
    with caplog.at_level(logging.WARNING):
        pool.fill()
        await settled()

    assert caplog.messages == ["no acme is kept ready: it is broken"]
    assert len(acme.made) == 1


async def test_closing_stops_those_that_are_ready_and_those_that_open(
    acme: Any, pool_of: PoolOf
) -> None:
    pool = pool_of(1)
    pool.fill()
    await settled()
    acme.make = lambda: ScriptedAdapter({"session/new": silence})
    taken = pool.take("acme", HERE)
    assert taken is not None
    await settled()

    await pool.close()

    assert [adapter.is_closed for adapter in acme.made] == [False, True]
    await taken.close()


def test_the_configuration_says_how_many_of_which() -> None:
    settings = Settings.model_validate(
        {"warm": ["mock", "claude"], "agents": {"claude": {"warm": 3}, "pi": {}}}
    )
    assert pool_sizes(settings) == {"mock": 1, "claude": 3}
