"""Prompts with limits, against the real server and its mock agent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_agent_client import (
    Endpoint,
    PromptResult,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    TurnEnded,
    TurnStarted,
    UsageUpdated,
    errors,
)
from sandbox_agent_client._limits import Allowance, limits_of
from sandbox_agent_core.events import Cost


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock")


@pytest.fixture
def sync_client(endpoint: Endpoint) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        yield client


async def test_a_prompt_whose_time_is_over_has_what_was_said_until_then(session: Session) -> None:
    result = await session.prompt("slow 60", timeout=0.3)
    assert (result.stop_reason, result.limit) == ("cancelled", "timeout")
    assert (await session.prompt("hello", timeout=60)).limit is None


async def test_a_prompt_that_is_stopped_has_what_it_has_used(session: Session) -> None:
    turns = await session.prompt("work 9 0.01", max_turns=3)
    assert (turns.limit, turns.model_calls) == ("max_turns", 3)
    money = await session.prompt("work 9 0.01", max_cost=0.02)
    assert (money.limit, money.cost) == ("max_cost", Cost(amount=0.02))
    assert money.usage is not None
    assert money.usage.input_tokens == 200
    whole = await session.prompt("work 2 0.01", max_turns=2, max_cost=0.02, timeout=60)
    assert (whole.stop_reason, whole.limit) == ("end_turn", None)
    spent = (await session.refresh()).usage.cost
    assert spent is not None
    assert spent.amount == pytest.approx(0.07)


async def test_a_stream_tells_the_limits_and_what_is_used_on_the_way(session: Session) -> None:
    events = [event async for event in session.prompt_stream("work 9", max_turns=2)]
    started, *_, ended = events
    assert isinstance(started, TurnStarted)
    assert started.limits is not None
    assert (started.limits.max_turns, started.limits.max_cost) == (2, None)
    used = [
        event.turn.model_calls for event in events if isinstance(event, UsageUpdated) if event.turn
    ]
    assert used == [1, 2]
    assert isinstance(ended, TurnEnded)
    assert (ended.limit, ended.model_calls) == ("max_turns", 2)


async def test_a_turn_that_was_sent_is_stopped_while_nobody_looks(session: Session) -> None:
    turn = await session.send("slow 60", timeout=0.2)
    assert (await turn.result()).limit == "timeout"
    assert (await turn.info()).limit == "timeout"


async def test_an_agent_that_tells_nothing_is_counted_and_takes_no_budget(
    client: SandboxAgent,
) -> None:
    plain = await client.create_session("plain")
    assert (await plain.prompt("work 9", max_turns=2)).limit == "max_turns"
    with pytest.raises(errors.CostUnknown) as refused:
        await plain.prompt("hello", max_cost=1)
    assert refused.value.details["agent"] == "plain"


async def test_an_answer_of_a_type_that_a_limit_prevents_has_its_result(session: Session) -> None:
    with pytest.raises(errors.OutputInvalid) as stopped:
        await session.prompt("work 9", output_type=list[int], max_turns=1)
    assert isinstance(stopped.value.result, PromptResult)
    assert (stopped.value.result.limit, stopped.value.details["limit"]) == ("max_turns",) * 2


async def test_repairs_are_within_the_same_limits(session: Session) -> None:
    with pytest.raises(errors.OutputInvalid) as exhausted:
        await session.prompt("work 2 0.01", output_type=list[int], max_cost=0.02)
    assert exhausted.value.result.cost == Cost(amount=0.02)
    assert len((await session.transcript()).turns) == 1


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"max_turns": 0}, {"max_cost": -1}])
async def test_limits_that_are_none_are_refused_before_anything_is_sent(
    session: Session, limits: dict[str, int]
) -> None:
    with pytest.raises(errors.InvalidRequest, match=next(iter(limits))):
        await session.prompt("hello", **limits)  # type: ignore[call-overload]


def test_limits_without_await(sync_client: SandboxAgentSync) -> None:
    session = sync_client.create_session("mock")
    assert session.prompt("slow 60", timeout=0.2).limit == "timeout"
    *_, ended = session.prompt_stream("work 9", max_turns=1)
    assert isinstance(ended, TurnEnded)
    assert ended.limit == "max_turns"
    assert session.send("work 9 1", max_cost=1.5).result().limit == "max_cost"


def test_what_one_turn_takes_is_not_there_for_the_next() -> None:
    now = [100.0]
    limits = limits_of(timeout=10, max_turns=5, max_cost=1.0)
    allowance = Allowance.begun(limits, lambda: now[0])
    now[0] += 4
    taken = PromptResult(turn_id="t", stop_reason="end_turn", model_calls=2, cost=Cost(amount=0.25))
    assert allowance.take(taken)
    assert allowance.limits == limits_of(timeout=6, max_turns=3, max_cost=0.75)
    now[0] += 6
    assert not allowance.take(taken)
    unpriced = Allowance.begun(limits_of(timeout=None, max_turns=None, max_cost=9), lambda: 0)
    assert not unpriced.take(PromptResult(turn_id="t", stop_reason="end_turn"))
    assert Allowance.begun(None, lambda: 0).take(taken)
