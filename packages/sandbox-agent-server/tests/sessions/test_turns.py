"""Turns of a session: one runs, the others wait in order, and each has exactly one end."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from house import House
from sandbox_agent_core.errors import AgentStartFailed, LimitReached, StorageError
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import error_response, response
from sandbox_agent_server.log import log as log_module
from still_clock import StillClock
from support.scripted_adapter import ScriptedAdapter, fails, silence, update
from talk import permission, settled, shapes, until


@pytest.fixture
async def session(house: House) -> Any:
    await house.create()
    return house.live()


def prompted(house: House) -> list[Any]:
    """Ids of the prompts that reached the agent."""
    return [one["id"] for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT]


async def answers(house: House, stop_reason: str = "end_turn") -> None:
    """The agent ends its turn."""
    house.agent.write(response(prompted(house)[-1], {"stopReason": stop_reason}))
    await settled()


async def outcome(turn: Any) -> str:
    return str((await asyncio.wait_for(turn.wait(), 5)).stop_reason)


def ends(house: House) -> Counter[str]:
    return Counter(
        str(entry.turn_id)
        for entry in house.entries()
        if entry.method in (extensions.TURN_ENDED, extensions.TURN_DROPPED)
        or (entry.sender == "agent" and entry.method == acp.SESSION_PROMPT)
    )


def blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


# Prompts


async def test_one_turn_runs_and_the_others_follow_in_order(house: House, session: Any) -> None:
    before = session.log.last_seq
    placed = [session.prompt(blocks(text)) for text in "abc"]
    assert [position for _, position, _ in placed] == [0, 1, 2]
    assert placed[0][2] == before
    turns = [turn for turn, _, _ in placed]
    assert (session.state.turn_id, session.state.queued) == (
        turns[0].id,
        (turns[1].id, turns[2].id),
    )
    for number, turn in enumerate(turns, start=1):
        assert len(prompted(house)) == number
        await answers(house)
        assert await outcome(turn) == "end_turn"
    texts = [one["params"]["prompt"][0]["text"] for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT]  # fmt: skip
    assert texts == ["a", "b", "c"]
    assert ends(house) == Counter(turn.id for turn in turns)
    assert session.turns.is_idle


async def test_no_more_wait_than_may(house: House, session: Any) -> None:
    await house.restart(limits={"max_queued_turns": 2})
    await house.manager.resume("ses_1", session.agent.secrets)
    for text in "abc":
        house.prompt(text=text)
    before = len(house.entries())
    with pytest.raises(LimitReached):
        house.prompt(text="d")
    assert len(house.entries()) == before


async def test_no_more_bytes_wait_than_may(house: House, session: Any) -> None:
    await house.restart(limits={"max_queued_bytes": 3000})
    await house.manager.resume("ses_1", session.agent.secrets)
    house.prompt(text="runs")
    house.prompt(text="x" * 5000)
    with pytest.raises(LimitReached) as refused:
        house.prompt(text="y" * 100)
    assert refused.value.details["limit"] == "max_queued_bytes"


async def test_a_prompt_that_cannot_be_logged_is_not_accepted(
    house: House, session: Any, disk: Any
) -> None:
    with disk.full(), pytest.raises(StorageError):
        session.prompt(blocks("lost"))
    assert session.turns.is_idle
    turn, _, _ = session.prompt(blocks("a"))
    with disk.full(), pytest.raises(StorageError):
        session.prompt(blocks("lost"))
    await answers(house)
    assert await outcome(turn) == "end_turn"
    assert session.turns.is_idle
    assert len(prompted(house)) == 1


async def test_a_turn_whose_start_cannot_be_logged_is_tried_again(
    house: House, session: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.005)
    session.prompt(blocks("a"))
    session.prompt(blocks("b"))
    start, tries = session.turns._start, []

    def start_on_a_full_disk(turn: Any) -> None:
        tries.append(turn)
        with disk.full():
            start(turn)

    monkeypatch.setattr(session.turns, "_start", start_on_a_full_disk)
    await answers(house)
    assert tries
    monkeypatch.setattr(session.turns, "_start", start)
    await until(lambda: len(prompted(house)) == 2)
    assert session.state.queued == ()


# Ends


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"stopReason": "refusal", "usage": {"inputTokens": 1}}, "refusal"),
        ({"stopReason": "paused_for_payment"}, "paused_for_payment"),
        ({}, "unknown"),
        (None, "unknown"),
        ({"stopReason": 7, "usage": 7}, "unknown"),
    ],
)
async def test_what_the_agent_answers_is_how_the_turn_ends(
    house: House, session: Any, answer: Any, expected: str
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    house.agent.write(response(prompted(house)[-1], answer))
    assert await outcome(turn) == expected
    assert turn.outcome.use.get("usage") == ({"inputTokens": 1} if expected == "refusal" else None)


async def test_an_error_of_the_agent_ends_the_turn_and_the_next_begins(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    session.prompt(blocks("b"))
    house.agent.write(error_response(prompted(house)[-1], -32000, "no credit"))
    assert await outcome(turn) == "error"
    assert turn.outcome.error.message == "no credit"
    assert len(prompted(house)) == 2


async def test_the_death_of_the_agent_ends_the_turn_and_the_next_wakes_another(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    other, _, _ = session.prompt(blocks("b"))
    house.agent.write(permission(1))
    await settled()
    house.agent.die(9)
    assert await outcome(turn) == "error"
    assert turn.outcome.error.details["exitCode"] == 9
    await until(lambda: len(house.acme.made) == 2 and prompted(house))
    await answers(house)
    assert await outcome(other) == "end_turn"
    assert ends(house) == Counter([turn.id, other.id])
    assert session.state.pending == {}


async def test_an_answer_that_comes_with_the_death_ends_the_turn_once(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    house.agent.write(response(prompted(house)[-1], {"stopReason": "end_turn"}))
    house.agent.die(0)
    assert await outcome(turn) == "end_turn"
    await until(lambda: house.live() is None)
    assert ends(house) == Counter([turn.id])


@pytest.mark.parametrize("how", ["does not start", "refuses"])
async def test_a_turn_whose_agent_cannot_be_started_begins_and_ends_for_all_to_see(
    house: House, session: Any, how: str
) -> None:
    house.agent.die(0)
    await until(lambda: house.live() is None)
    if how == "refuses":
        house.answers[acp.SESSION_NEW] = fails("no")
    else:
        house.acme.make = lambda: ScriptedAdapter(start_error=AgentStartFailed("no"))
    turn = house.prompt()
    assert await outcome(turn) == "error"
    assert ends(house) == Counter([turn.id])
    assert shapes(house.entries())[-2:] == ["client session/prompt", "server turn.ended"]
    await until(lambda: house.live() is None)
    assert house.manager.reader.info("ses_1").current_turn_id is None
    house.acme.make = lambda: ScriptedAdapter({acp.SESSION_PROMPT: {"stopReason": "end_turn"}})
    assert await outcome(house.prompt()) == "end_turn"


async def test_a_turn_whose_failure_cannot_be_logged_waits_until_there_is_space(
    house: House, session: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.005)
    house.agent.die(0)
    await until(lambda: house.live() is None)

    def no_agent_and_no_space() -> ScriptedAdapter:
        disk.takes_bytes = 0
        return ScriptedAdapter(start_error=AgentStartFailed("no"))

    house.acme.make = no_agent_and_no_space
    turns = [house.prompt(text="a"), house.prompt(text="b")]
    await until(lambda: len(house.acme.made) > 2)
    assert [turn.outcome for turn in turns] == [None, None]

    disk.takes_bytes = None
    house.acme.make = lambda: ScriptedAdapter({acp.SESSION_PROMPT: {"stopReason": "end_turn"}})
    assert [await outcome(turn) for turn in turns] == ["end_turn", "end_turn"]
    assert ends(house) == Counter(turn.id for turn in turns)


# Cancelling


async def test_cancelling_asks_the_agent_and_answers_what_it_asked(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    waiting, _, _ = session.prompt(blocks("b"))
    house.agent.write(permission(1))
    await settled()
    assert session.cancel(None) == [turn.id, waiting.id]
    assert await outcome(waiting) == "cancelled"
    assert house.agent.methods[-1] == acp.SESSION_CANCEL
    assert house.agent.sent[-1] == response(1, {"outcome": {"outcome": "cancelled"}})
    assert session.cancel(None) == [turn.id]  # again, which is harmless
    assert house.agent.methods.count(acp.SESSION_CANCEL) == 1
    await answers(house, "cancelled")
    assert await outcome(turn) == "cancelled"
    assert ends(house) == Counter([turn.id, waiting.id])
    assert session.cancel(None) == []


async def test_one_that_waits_is_cancelled_alone(house: House, session: Any) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    second, _, _ = session.prompt(blocks("b"))
    third, _, _ = session.prompt(blocks("c"))
    assert session.cancel(second.id) == [second.id]
    assert session.cancel("turn_x") == []
    assert acp.SESSION_CANCEL not in house.agent.methods
    assert session.state.queued == (third.id,)
    await answers(house)
    assert session.state.turn_id == third.id
    assert turn.outcome.stop_reason == "end_turn"


async def test_an_agent_that_ignores_a_cancel_is_stopped(
    house: House, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StillClock(monkeypatch)
    turn, _, _ = session.prompt(blocks("a"))
    session.cancel(turn.id)
    await clock.move(9)
    assert not house.agent.is_closed
    await clock.move(2)
    monkeypatch.undo()
    assert house.agent.is_closed
    assert await outcome(turn) == "cancelled"
    assert ends(house) == Counter([turn.id])


async def test_a_turn_that_ends_in_time_leaves_the_next_alone(
    house: House, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StillClock(monkeypatch)
    turn, _, _ = session.prompt(blocks("a"))
    session.cancel(turn.id)
    session.prompt(blocks("b"))
    await answers(house, "cancelled")
    await clock.move(99)
    monkeypatch.undo()
    assert not house.agent.is_closed
    assert len(prompted(house)) == 2


async def test_a_cancel_that_cannot_be_logged_is_not_told_and_may_be_tried_again(
    house: House, session: Any, disk: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    house.agent.write(permission(1))
    await settled()
    with disk.full(), pytest.raises(StorageError):
        session.cancel(turn.id)
    assert acp.SESSION_CANCEL not in house.agent.methods
    assert len(session.state.pending) == 1
    assert session.cancel(turn.id) == [turn.id]
    assert house.agent.methods[-1] == acp.SESSION_CANCEL
    assert session.state.pending == {}


# A disk that is full, and the end of the session


async def test_an_agent_that_dies_on_a_full_disk_ends_its_turn_once_there_is_space(
    house: House, session: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.002)
    turn, _, _ = session.prompt(blocks("a"))
    with disk.full():
        house.agent.write(permission(1))
        house.agent.die(1)
        await settled()
        assert turn.outcome is None
    assert await outcome(turn) == "error"
    assert ends(house) == Counter([turn.id])


@pytest.fixture
async def impatient(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A session whose agent is given up at once when its log cannot be written."""
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.002)
    await house.restart(limits={"storage_retry_s": 0})
    await house.create()
    return house


async def test_however_long_the_disk_is_full_a_turn_has_one_end(
    impatient: House, disk: Any
) -> None:
    house = impatient
    turn = house.prompt(text="a")
    with disk.full():
        house.agent.write(permission(1))
        assert await outcome(turn) == "error"
        assert turn.outcome.error.code == "storage_error"
        assert house.agent.is_closed
        with pytest.raises(StorageError):
            house.prompt(text="b")
        with house.manager.session("ses_1") as session, pytest.raises(StorageError):
            await session.resume()
    await until(lambda: house.live() is None)
    assert ends(house) == Counter([turn.id])
    assert shapes(house.entries())[-1] == "server turn.ended"
    (ended,) = [one for one in house.entries() if one.method == extensions.TURN_ENDED]
    assert ended.payload["params"]["error"]["code"] == "storage_error"
    assert house.manager.reader.info("ses_1").current_turn_id is None


async def test_while_the_disk_is_full_no_agent_is_started_for_the_queue(
    impatient: House, disk: Any
) -> None:
    house = impatient
    turns = [house.prompt(text="a"), house.prompt(text="b")]
    with disk.full():
        house.agent.write(permission(1))
        await outcome(turns[0])
        for _ in range(20):
            await asyncio.sleep(0.002)
        assert len(house.acme.made) == 1
    await until(lambda: len(house.acme.made) == 2 and prompted(house))
    await answers(house)
    assert await outcome(turns[1]) == "end_turn"
    assert ends(house) == Counter(turn.id for turn in turns)


def test_what_cannot_be_written_is_tried_less_and_less_often() -> None:
    delays = log_module.retry_delays()
    assert [next(delays) for _ in range(7)] == [0.5, 1, 2, 4, 5, 5, 5]


@pytest.mark.parametrize("then", ["it is ended again", "the server starts again", "nobody asks"])
async def test_an_end_that_could_not_be_written_is_none_and_comes_later(
    impatient: House, disk: Any, then: str
) -> None:
    house = impatient
    turns = [house.prompt(text="a"), house.prompt(text="b")]
    house.agent.write(permission(1))
    await settled()
    with disk.full():
        with pytest.raises(StorageError):
            await house.manager.end("ses_1")
        assert [await outcome(turn) for turn in turns] == ["error", "interrupted"]
        assert house.agent.is_closed
        info = house.manager.reader.info("ses_1")
        assert (info.status, info.ended_at) == ("dormant", None)
        if "starts" in then:
            await house.close()
            await house.open()
            assert house.manager.reader.info("ses_1").ended_at is None
    if "again" in then:
        await house.manager.end("ses_1")
        assert house.manager.reader.info("ses_1").status == "ended"
        assert shapes(house.entries())[-1] == "server session.ended"
    else:
        await until(lambda: not house.index.open_sessions())
        assert house.manager.reader.info("ses_1").status == "dormant"
    assert ends(house) == Counter(turn.id for turn in turns)
    assert sum(one.method == extensions.AGENT_EXITED for one in house.entries()) == 1
    assert house.manager.reader.info("ses_1").pending_requests == 0


async def test_the_ends_of_what_runs_fit_into_a_full_quota(house: House) -> None:
    await house.restart(limits={"max_log_bytes": 1_048_576, "storage_retry_s": 0})
    await house.create()
    turn = house.prompt()
    house.agent.write(update(acp.AGENT_MESSAGE_CHUNK, content={"type": "text", "text": "x" * 1_048_576}))  # fmt: skip
    assert await outcome(turn) == "error"
    assert turn.outcome.error.code == "storage_error"
    assert ends(house) == Counter([turn.id])
    with pytest.raises(StorageError):
        house.prompt(text="x" * 1_048_576)


@pytest.mark.parametrize(
    ("end", "expected", "dropped"),
    [("end", "cancelled", "interrupted"), ("shut_down", "interrupted", "interrupted")],
)
async def test_the_end_of_a_session_ends_all_of_its_turns(
    house: House, session: Any, end: str, expected: str, dropped: str
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    waiting, _, _ = session.prompt(blocks("b"))
    await asyncio.wait_for(getattr(session, end)(), 5)
    assert await outcome(turn) == expected
    assert await outcome(waiting) == dropped
    assert acp.SESSION_CANCEL in house.agent.methods
    assert ends(house) == Counter([turn.id, waiting.id])
    assert house.agent.is_closed


async def test_what_the_agent_does_not_know_is_told_with_the_next_prompt_and_once(
    house: House,
) -> None:
    await house.create(system_prompt="Be kind.")
    house.prompt(text="a")
    await answers(house)
    house.prompt(text="b")
    await settled()
    first, second = (
        one["params"]["prompt"]
        for one in house.agent.sent
        if one.get("method") == acp.SESSION_PROMPT
    )
    assert "Be kind." in first[0]["text"]
    assert first[1:] == blocks("a")
    assert second == blocks("b")


async def test_a_start_that_hangs_holds_prompts_back_until_it_is_over(house: House) -> None:
    await house.create()
    house.agent.die(0)
    await until(lambda: house.live() is None)
    house.answers[acp.SESSION_NEW] = silence
    turn = house.prompt()
    await settled()
    assert house.manager.reader.info("ses_1").status == "starting"
    asked = house.agent.sent[-1]
    house.agent.write(response(asked["id"], {"sessionId": "s2"}))
    await until(lambda: prompted(house))
    await answers(house)
    assert await outcome(turn) == "end_turn"
