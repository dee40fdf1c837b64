"""The adapter over a server that says what it is told: order, faults, holding back, the end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.opencode import OPENCODE_DEFINITION
from support.adapter_driver import AdapterDriver

PROGRAM = Path(__file__).parent / "support" / "fake_server.py"
IDLE = json.dumps({"type": "session.idle", "properties": {"sessionID": "ses_1"}})
MANY, LARGE = 100, "x" * 100_000


def say(what: str) -> str:
    return json.dumps({"type": "said", "properties": {"sessionID": "ses_1", "what": what}})


def message(id: str, role: str, **time: int) -> str:
    info = {"id": id, "sessionID": "ses_1", "role": role, "time": time}
    return json.dumps({"type": "message.updated", "properties": {"info": info}})


TURN = (message("msg_1", "user"), message("msg_2", "assistant", completed=1), IDLE)


def script(*events: str, **what: Any) -> str:
    return json.dumps({"events": events, **what})


@pytest.fixture
async def opencode(tmp_path: Path) -> AsyncIterator[AdapterDriver]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, str(PROGRAM)]
    context = AgentContext(session_id="s", cwd=tmp_path, env=env, command=command)
    async with AdapterDriver(OPENCODE_DEFINITION.create(context), context) as driver:
        yield driver


async def test_what_the_program_unpacks_is_gone_when_it_is(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(temporary)}
    command = [sys.executable, str(PROGRAM)]
    context = AgentContext(session_id="s", cwd=tmp_path, env=env, command=command)
    async with AdapterDriver(OPENCODE_DEFINITION.create(context), context) as opencode:
        await opencode.open()
        assert [path.name for path in temporary.glob("*/*")] == [".library.so"]
    assert [*temporary.iterdir()] == []
    own = tmp_path / "own"
    own.mkdir()
    context = replace(context, env=env | {"BUN_TMPDIR": str(own)})
    async with AdapterDriver(OPENCODE_DEFINITION.create(context), context) as opencode:
        await opencode.open()
    assert [path.name for path in own.iterdir()] == [".library.so"]


def said(opencode: AdapterDriver) -> list[str]:
    return [frame["params"]["what"] for frame in opencode.asked("_opencode/said")]


async def test_an_event_that_cannot_be_told_costs_that_event(opencode: AdapterDriver) -> None:
    await opencode.open()
    part = {"id": "prt_1", "type": {}}
    odd = json.dumps({"type": "message.part.updated", "properties": {"part": part}})

    await opencode.prompt(script(say("a"), odd, "no JSON", "[1]", say("b"), *TURN))

    unparsed = opencode.asked("_sandbox_agent/agent.unparsed")
    assert said(opencode) == ["a", "b"]
    assert [frame["params"]["text"] for frame in unparsed] == [odd, "no JSON", "[1]"]


async def test_a_prompt_that_is_refused_is_answered_and_another_one_taken(
    opencode: AdapterDriver,
) -> None:
    await opencode.open()

    refused = await opencode.prompt(script(status=400))
    answered = await opencode.prompt(script(*TURN))

    assert refused["error"]["message"] == "it says no"
    assert answered["result"]["stopReason"] == "end_turn"


async def test_a_prompt_that_its_events_have_answered_is_answered_once(
    opencode: AdapterDriver,
) -> None:
    await opencode.open()

    first = await opencode.start_prompt(script(*TURN, status=400))
    await opencode.wait_for_prompt(first)
    await opencode.prompt(
        script(message("msg_3", "user"), message("msg_4", "assistant", completed=1), IDLE)
    )

    assert [frame.get("id") for frame in opencode.frames].count(first) == 1


async def test_a_second_session_is_refused_also_while_the_first_is_being_opened(
    opencode: AdapterDriver,
) -> None:
    params = {"cwd": str(opencode.context.cwd), "mcpServers": []}

    first, second = await asyncio.gather(
        opencode.ask("session/new", params), opencode.ask("session/new", params)
    )

    assert first["result"]["sessionId"] == "ses_1"
    assert second["error"]["message"].startswith("the session is open already")


async def test_while_paused_no_more_is_asked_for(opencode: AdapterDriver) -> None:
    await opencode.open()
    opencode.adapter.pause()

    id = await opencode.start_prompt(script(*[say(LARGE)] * MANY, *TURN))
    await asyncio.sleep(0.3)
    assert len(said(opencode)) < MANY

    opencode.adapter.resume()
    await opencode.wait_for_prompt(id)
    assert len(said(opencode)) == MANY


async def test_closing_delivers_what_was_held_back(opencode: AdapterDriver) -> None:
    await opencode.open()
    opencode.adapter.pause()
    # The read that is under way still brings something.
    await opencode.prompt(script(say("a"), status=400))
    await opencode.wait_for_method("_opencode/said")
    await opencode.prompt(script(say("b"), status=400))
    assert said(opencode) == ["a"]

    ended = await opencode.close()

    assert said(opencode) == ["a", "b"]
    assert ended.signal == 15
    assert await opencode.close() == ended


async def test_what_it_said_before_it_died_is_told_before_the_end(opencode: AdapterDriver) -> None:
    await opencode.open()

    await opencode.start_prompt(script(say("last"), exits=True))
    with pytest.raises(AssertionError, match="the agent is gone"):
        await opencode.wait_for_method("never")

    assert said(opencode) == ["last"]
    assert (await opencode.close()).exit_code == 3
