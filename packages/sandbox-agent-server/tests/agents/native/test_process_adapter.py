"""What all native adapters share: the order of frames, refusals, faults, holding back, the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from parrot import ANSWER, Batches, Parrot, say
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_core.spi.agent import AgentContext


class Session:
    def __init__(self, cwd: Path) -> None:
        env = {"PATH": "/usr/bin:/bin"}
        command = [sys.executable]
        self.heard = Batches()
        self.adapter = Parrot(
            AgentContext(session_id="s", cwd=cwd, env=env, command=command, max_line_bytes=10_000)
        )
        self._last_id = 0

    def send(self, method: str, *lines: str, **params: Any) -> int:
        self._last_id += 1
        given = {"lines": lines, **params} if lines else params
        self.adapter.send(request(self._last_id, method, given))
        return self._last_id

    async def until(self, shown: str) -> list[str]:
        """All that was heard, when that was."""
        async with asyncio.timeout(30):
            while shown not in self.heard.all:
                await asyncio.sleep(0.005)
        return self.heard.all

    async def open(self) -> None:
        await self.until(f"{self.send('open')} ok")
        self.heard.batches.clear()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    session = Session(tmp_path)
    await session.adapter.start(session.heard)
    yield session
    await session.adapter.close()
    assert session.heard.ends == 1


async def test_what_is_read_at_once_is_delivered_at_once(session: Session) -> None:
    await session.open()

    session.send("write", say("a"), say("b"), say("c"), ANSWER)

    await session.until("c")
    assert session.heard.batches[0] == ["a", "b", "c"]


async def test_whoever_asked_goes_on_before_what_came_behind_the_answer(session: Session) -> None:
    await session.open()

    session.send("write", say("before"), ANSWER, say("behind"), say("last"))

    assert await session.until("last") == ["before", "2 ok", "behind", "last"]


async def test_two_questions_of_one_handler_keep_the_order(session: Session) -> None:
    await session.open()

    session.send("twice", ANSWER, say("a"), '{"answer": "host-3"}', say("b"))

    assert await session.until("b") == ["between", "a", "2 ok", "b"]


async def test_what_comes_before_the_session_is_told_after_its_answer(session: Session) -> None:
    session.send("open", say("early"), ANSWER, say("late"))

    assert await session.until("late") == ["1 ok", "opened", "early", "late"]


@pytest.mark.parametrize("odd", ["no JSON", "[1]", '{"say_not": 1}', '"text"'])
async def test_a_line_that_cannot_be_told_costs_that_line(session: Session, odd: str) -> None:
    await session.open()

    session.send("write", say("a"), odd, "", say("b"), ANSWER)

    assert await session.until("2 ok") == ["a", odd, "b", "2 ok"]


async def test_a_line_that_is_too_long_is_said(session: Session) -> None:
    await session.open()

    session.send("write", say("x" * 20_000), say("b"), ANSWER)

    assert len(await session.until("2 ok")) == 3


async def test_what_is_nested_too_deep_to_be_written_costs_that_line(session: Session) -> None:
    await session.open()

    session.send("write", '{"say": ' + "[" * 900 + "]" * 900 + "}", say("b"), ANSWER)

    assert (await session.until("2 ok"))[1:] == ["b", "2 ok"]


async def test_a_refusal_of_the_agent_is_the_answer(session: Session) -> None:
    await session.open()

    session.send("write", '{"answer": "ID", "error": "no such thing"}')

    await session.until("2 no such thing")


async def test_a_handler_that_fails_and_a_method_that_there_is_not_are_answered(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    session.send("fail")
    session.send("dance")

    assert await session.until("2 no method 'dance'")
    assert session.heard.all[0].startswith("1 the adapter failed")
    assert "ZeroDivisionError" in caplog.text


async def test_frames_of_the_client_begin_in_their_order(session: Session) -> None:
    await session.open()

    session.send("write")
    session.adapter.send(notification("session/cancel", {}))
    session.adapter.send(response(7, {}))
    session.send("write")

    await session.until("3 ok")
    assert session.adapter.began == ["write", "cancel", "answer", "write"]


async def test_while_paused_what_is_behind_an_answer_waits(session: Session) -> None:
    await session.open()
    heard = session.heard.frames

    def pausing(batch: list[Any]) -> None:
        heard(batch)
        session.adapter.pause()

    session.heard.frames = pausing  # type: ignore[method-assign]
    session.send("write", say("a"), ANSWER, say("behind"))
    await session.until("2 ok")
    await asyncio.sleep(0.05)
    assert session.heard.all == ["a", "2 ok"]

    session.adapter.resume()

    assert session.heard.all == ["a", "2 ok"]
    await session.until("behind")


async def test_closing_delivers_what_was_held_back_and_then_ends(session: Session) -> None:
    await session.open()
    session.adapter.pause()
    session.send("write", say("a"), ANSWER, say("behind"))
    await asyncio.sleep(0.2)
    assert session.heard.all == []

    ended = await session.adapter.close()

    assert session.heard.all == ["a", "behind"]
    assert ended.exit_code == 0
    assert await session.adapter.close() == ended


async def test_an_agent_that_ends_tells_that_and_nothing_else(session: Session) -> None:
    await session.open()

    session.send("write", lines="exit")

    async with asyncio.timeout(30):
        while not session.heard.ends:
            await asyncio.sleep(0.005)
    assert session.heard.all == []
    assert (await session.adapter.close()).stderr_tail.strip() == "I am done"


async def test_an_agent_that_ends_before_there_is_a_session_may_be_run_again(
    session: Session,
) -> None:
    session.send("open", lines="exit")
    await session.until("1 I am done")

    session.send("open")

    await session.until("2 ok")


async def test_a_second_session_is_refused_also_while_the_first_is_being_opened(
    session: Session,
) -> None:
    session.send("open")
    session.send("open")

    heard = await session.until("1 ok")

    assert any(shown.startswith("2 the session is open already") for shown in heard)


async def test_closing_while_the_program_is_being_started_leaves_nothing(session: Session) -> None:
    session.send("open")
    await asyncio.sleep(0)

    await session.adapter.close()

    assert session.heard.all == []
