"""Turns that were given limits: what is counted, what stops them, and what is told of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from house import House
from pydantic import ValidationError
from sandbox_agent_core.api.turns import LimitsRequest
from sandbox_agent_core.errors import CostUnknown
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import error_response, notification, response
from sandbox_agent_server.sessions.turn_lookup import look_up_turn
from still_clock import StillClock
from support.scripted_adapter import update
from talk import permission, settled


async def opened(house: House, usage: str | None = "cost", **settings: Any) -> Any:
    """A session whose agent announces that."""
    can = {} if usage is None else {"usage": usage}
    hello = {"protocolVersion": 1, "agentCapabilities": {"_meta": {"sandbox_agent": can}}}
    house.answers[acp.INITIALIZE] = hello
    if settings:
        await house.restart(**settings)
    await house.create()
    return house.live()


def begun(session: Any, **limits: Any) -> Any:
    blocks = [{"type": "text", "text": "go"}]
    return session.prompt(blocks, None, LimitsRequest.model_validate(limits))[0]


def says() -> Frame:
    return update(acp.AGENT_MESSAGE_CHUNK, content={"type": "text", "text": "hm"})


def calls(id: str, **more: Any) -> Frame:
    return update(acp.TOOL_CALL, toolCallId=id, title="make", status="pending", **more)


def done(id: str) -> Frame:
    return update(acp.TOOL_CALL_UPDATE, toolCallId=id, status="completed")


def responded(cost: float | None = 0.01, **more: Any) -> Frame:
    usage = {"inputTokens": 100, "outputTokens": 10}
    told = {} if cost is None else {"cost": {"amount": cost, "currency": "USD"}}
    fields = {"sessionId": "s1", "usage": usage, **told, **more}
    return notification(extensions.MODEL_RESPONDED, fields)


def is_stopped(house: House) -> bool:
    return acp.SESSION_CANCEL in house.agent.methods


async def writes(house: House, *frames: Frame) -> bool:
    """Whether the turn is stopped after that."""
    house.agent.write(*frames)
    await settled()
    return is_stopped(house)


async def ends(house: House, turn: Any, answer: Any = None) -> Any:
    """The agent ends its turn. What is told of it then, by the log."""
    prompts = [one for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT]
    house.agent.write(answer or response(prompts[-1]["id"], {"stopReason": "cancelled"}))
    await settled()
    return await look_up_turn(house.manager.reader.log("ses_1"), turn.id)


# Round trips


async def test_an_agent_is_stopped_when_the_tools_of_its_last_answer_are_done(
    house: House,
) -> None:
    turn = begun(await opened(house), maxTurns=2)
    assert not await writes(house, calls("a"), responded(), done("a"))
    assert not await writes(house, says(), calls("b"), calls("c"), responded())
    assert not await writes(house, done("b"))
    assert await writes(house, done("c"))
    told = await ends(house, turn)
    assert (told.stop_reason, told.limit, told.model_calls) == ("cancelled", "max_turns", 2)
    assert turn.outcome.use["limit"] == "max_turns"


async def test_tools_may_be_called_after_the_answer_is_told(house: House) -> None:
    begun(await opened(house), maxTurns=2)
    assert not await writes(house, says(), responded(), calls("a"), done("a"))
    assert not await writes(house, says(), responded())
    assert await writes(house, calls("b"), done("b"))


async def test_an_answer_without_tools_is_the_end_and_is_not_stopped(house: House) -> None:
    turn = begun(await opened(house), maxTurns=2)
    assert not await writes(house, calls("a"), responded(), done("a"), says(), responded())
    told = await ends(house, turn, response(_prompt_id(house), {"stopReason": "end_turn"}))
    assert (told.stop_reason, told.limit, told.model_calls) == ("end_turn", None, 2)


def _prompt_id(house: House) -> Any:
    return next(one["id"] for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT)


async def test_one_answer_too_many_stops_whatever_it_does(house: House) -> None:
    begun(await opened(house), maxTurns=1)
    assert not await writes(house, says(), responded())
    assert await writes(house, says(), responded())


async def test_an_answer_that_is_told_twice_counts_once(house: House) -> None:
    begun(await opened(house), maxTurns=1, maxCost=0.05)
    assert not await writes(house, says(), responded(callId="m"), responded(callId="m"))


async def test_an_agent_that_tells_of_no_answers_is_counted_by_what_it_does(house: House) -> None:
    begun(await opened(house, usage=None), maxTurns=2)
    assert not await writes(house, says(), says(), calls("a"), calls("b"), done("a"), done("b"))
    assert not await writes(house, says(), says())
    assert await writes(house, calls("c"), done("c"))


async def test_what_sub_agents_do_is_no_round_trip_of_the_turn(house: House) -> None:
    begun(await opened(house), maxTurns=1)
    inside = {"_meta": {"parentToolCallId": "task"}}
    assert not await writes(
        house,
        calls("task"),
        responded(),
        calls("x", **inside),
        responded(parentToolCallId="task"),
        update(acp.TOOL_CALL_UPDATE, toolCallId="x", status="completed", **inside),
        responded(parentToolCallId="task"),
    )
    assert await writes(house, done("task"))


# Costs


async def test_what_has_cost_too_much_does_not_go_on(house: House) -> None:
    turn = begun(await opened(house), maxCost=0.03)
    assert not await writes(house, calls("a"), responded(0.02), done("a"))
    assert await writes(house, calls("b"), responded(0.01))
    told = await ends(house, turn)
    assert told.limit == "max_cost"
    assert told.cost is not None
    assert (told.cost.amount, told.cost.estimated) == (0.03, False)
    assert told.usage is not None
    assert told.usage.input_tokens == 200


async def test_a_turn_that_is_over_with_what_was_too_dear_is_left_to_end(house: House) -> None:
    turn = begun(await opened(house), maxCost=0.01)
    assert not await writes(house, says(), responded(0.5))
    told = await ends(house, turn, response(_prompt_id(house), {"stopReason": "end_turn"}))
    assert (told.stop_reason, told.limit) == ("end_turn", None)


async def test_what_sub_agents_cost_counts(house: House) -> None:
    begun(await opened(house), maxCost=0.03)
    assert not await writes(house, calls("task"), responded(0.01))
    assert await writes(house, responded(0.02, parentToolCallId="task"))


async def test_tokens_are_reckoned_with_the_price_of_their_model(house: House) -> None:
    prices = {"dear": {"input": 1000.0, "output": 0.0}}
    turn = begun(await opened(house, "modelTokens", prices=prices), maxCost=0.15)
    assert not await writes(house, calls("a"), responded(None, model="dear"), done("a"))
    assert await writes(house, calls("b"), responded(0.0, model="dear"))
    told = await ends(house, turn)
    assert told.cost is not None
    assert (told.cost.amount, told.cost.estimated) == (0.2, True)


async def test_what_nobody_knows_the_price_of_is_not_within_a_budget(house: House) -> None:
    turn = begun(await opened(house, "modelTokens"), maxCost=1000)
    assert await writes(house, calls("a"), responded(None, model="acme-1"))
    told = await ends(house, turn)
    assert (told.limit, told.cost) == ("max_cost", None)


async def test_a_cost_that_cannot_be_known_is_refused_with_the_remedy(house: House) -> None:
    session = await opened(house, usage=None)
    before = session.log.last_seq
    with pytest.raises(CostUnknown, match="does not tell"):
        begun(session, maxCost=1)
    assert session.log.last_seq == before


async def test_tokens_of_a_model_without_a_price_are_refused_with_the_remedy(
    house: House,
) -> None:
    session = await opened(house, "tokens")
    with pytest.raises(CostUnknown, match="prices"):
        begun(session, maxCost=1)


async def test_an_agent_that_has_told_its_costs_once_is_believed(house: House) -> None:
    session = await opened(house, usage=None)
    first = begun(session, maxTurns=9)
    usage = {"used": 1, "size": 2}
    spent = {"cost": {"amount": 0.5, "currency": "USD"}}
    await writes(house, update(acp.USAGE_UPDATE, **usage, **spent))
    await ends(house, first, response(_prompt_id(house), {"stopReason": "end_turn"}))
    begun(session, maxCost=0.2)
    spent["cost"]["amount"] = 0.69
    assert not await writes(house, update(acp.USAGE_UPDATE, **usage, **spent))
    spent["cost"]["amount"] = 0.71
    assert await writes(house, update(acp.USAGE_UPDATE, **usage, **spent))


# Time


async def test_the_time_of_a_turn_is_kept_whatever_it_waits_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await opened(house)
    clock = StillClock(monkeypatch)
    turn = begun(session, timeoutSeconds=5)
    house.agent.write(permission())
    await clock.move(4)
    assert session.status == "waiting"
    await clock.move(2)
    monkeypatch.undo()
    assert is_stopped(house)
    assert not session.state.pending
    told = await ends(house, turn)
    assert (told.stop_reason, told.limit) == ("cancelled", "timeout")


async def test_an_agent_that_does_not_stop_is_killed_and_its_turn_has_its_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await opened(house)
    clock = StillClock(monkeypatch)
    turn = begun(session, timeoutSeconds=5)
    house.agent.write(calls("a"), responded(0.25))
    await clock.move(6)
    await clock.move(11)
    monkeypatch.undo()
    assert house.agent.is_closed
    outcome = await asyncio.wait_for(turn.wait(), 5)
    assert (outcome.stop_reason, outcome.use["limit"]) == ("cancelled", "timeout")
    told = await look_up_turn(session.log, turn.id)
    assert told.limit == "timeout"
    assert told.cost is not None
    assert session.state.spending.cost == told.cost.amount == 0.25


async def test_a_prompt_whose_time_is_over_before_it_began_never_begins(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await opened(house)
    clock = StillClock(monkeypatch)
    first, second = begun(session, maxTurns=1), begun(session, timeoutSeconds=5)
    await clock.move(6)
    monkeypatch.undo()
    told = await look_up_turn(session.log, second.id)
    assert (told.stop_reason, told.limit, told.started_at) == ("cancelled", "timeout", None)
    assert not is_stopped(house)
    await ends(house, first)


async def test_a_turn_that_ends_in_time_is_not_stopped_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await opened(house)
    clock = StillClock(monkeypatch)
    turn = begun(session, timeoutSeconds=5)
    house.agent.write(response(_prompt_id(house), {"stopReason": "end_turn"}))
    await clock.move(9)
    monkeypatch.undo()
    assert not is_stopped(house)
    assert (await look_up_turn(session.log, turn.id)).limit is None


# What is told of it


async def test_an_agent_that_calls_it_an_error_was_stopped_all_the_same(house: House) -> None:
    turn = begun(await opened(house), maxTurns=1)
    assert await writes(house, calls("a"), responded(), done("a"))
    told = await ends(house, turn, error_response(_prompt_id(house), -32603, "aborted"))
    assert (told.stop_reason, told.limit, told.error) == ("cancelled", "max_turns", None)
    assert turn.outcome.error is None


async def test_whoever_cancels_before_the_limit_has_cancelled_it(house: House) -> None:
    session = await opened(house)
    turn = begun(session, maxTurns=1)
    session.cancel(turn.id)
    await writes(house, calls("a"), responded(), done("a"))
    assert (await ends(house, turn)).limit is None


async def test_a_running_turn_tells_what_it_has_used_so_far(house: House) -> None:
    session = await opened(house)
    turn = begun(session, maxTurns=9)
    await writes(house, calls("a"), responded(0.02))
    told = await look_up_turn(session.log, turn.id)
    assert (told.status, told.model_calls) == ("running", 1)
    assert told.cost is not None
    assert told.cost.amount == 0.02
    await house.dies()
    await house.open()
    told = await look_up_turn(house.manager.reader.log("ses_1"), turn.id)
    assert told.stop_reason == "interrupted"


async def test_what_is_told_between_turns_is_of_no_turn(house: House) -> None:
    session = await opened(house)
    turn = begun(session, maxTurns=9)
    await ends(house, turn)
    await writes(house, responded(7.0))
    assert (await look_up_turn(session.log, turn.id)).cost is None


async def test_the_tasks_that_a_stopped_turn_has_left_are_stopped_with_it(house: House) -> None:
    begun(await opened(house), maxTurns=1)
    task = {"taskId": "t", "kind": "agent", "title": "x", "toolCallId": "a"}
    started = notification(extensions.TASK_STARTED, task)
    assert await writes(house, calls("a"), started, responded(), done("a"))
    assert "_sandbox_agent/task.stop" in house.agent.methods


@pytest.mark.parametrize(
    "limits",
    [{}, {"maxTurns": 0}, {"timeoutSeconds": -1}, {"maxCost": float("inf")}, {"timeout": 3}],
)
def test_limits_that_limit_nothing_are_refused(limits: Any) -> None:
    with pytest.raises(ValidationError):
        LimitsRequest.model_validate(limits)
