"""An agent that was opened ahead of time behaves to its session as one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest
from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    AgentNotInstalled,
    AgentProcessExited,
)
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED, request
from sandbox_agent_server.agents.runner.preopened import MAX_EARLY_FRAMES, PreopenedAgent
from support.scripted_adapter import ScriptedAdapter, Sink, fails, says, silence, update

COMMANDS = update("available_commands_update", availableCommands=[])
INITIALIZE = request(11, "initialize", {})
NEW = request(12, "session/new", {"cwd": "/work"})


async def settled() -> None:
    """Everything that the loop had to do is done."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


def preopened(adapter: ScriptedAdapter) -> PreopenedAgent:
    return PreopenedAgent(adapter, cwd=Path("/work"), client_version="1")


async def opened(adapter: ScriptedAdapter) -> PreopenedAgent:
    agent = preopened(adapter)
    await agent.open()
    await settled()
    return agent


async def taken(agent: PreopenedAgent, *asked: Frame) -> Sink:
    sink = Sink()
    await agent.start(sink)
    for frame in asked:
        agent.send(frame)
    return sink


async def test_what_it_answered_is_answered_again_under_the_sessions_own_ids() -> None:
    adapter = ScriptedAdapter({"session/new": {"sessionId": "s1", "modes": None}})
    agent = await opened(adapter)

    sink = await taken(agent, INITIALIZE, NEW)

    assert [(frame["id"], frame["result"]) for frame in sink.received] == [
        (11, {"protocolVersion": 1}),
        (12, {"sessionId": "s1", "modes": None}),
    ]
    assert adapter.methods == ["initialize", "session/new"]  # once


async def test_what_it_wrote_by_itself_comes_after_the_answers() -> None:
    adapter = ScriptedAdapter({
        "initialize": says({}, update("first")),
        "session/new": says({"sessionId": "s1"}, after=[COMMANDS]),
    })  # fmt: skip
    agent = await opened(adapter)
    adapter.write(update("third"))
    await settled()

    sink = await taken(agent, INITIALIZE, NEW)
    adapter.write(update("fourth"))
    await settled()

    kinds = [
        frame["params"]["update"]["sessionUpdate"] if "params" in frame else frame["id"]
        for frame in sink.received
    ]
    assert kinds == [11, 12, "first", "available_commands_update", "third", "fourth"]


async def test_then_it_is_the_agent_itself() -> None:
    adapter = ScriptedAdapter({"session/prompt": {"stopReason": "end_turn"}})
    agent = await opened(adapter)
    sink = await taken(agent, INITIALIZE, NEW, request(13, "session/prompt", {}))
    await settled()

    assert sink.received[-1]["result"] == {"stopReason": "end_turn"}
    agent.pause()
    adapter.write(COMMANDS)
    await settled()
    assert sink.received[-1] is not COMMANDS
    agent.resume()
    await settled()
    assert sink.received[-1] == COMMANDS
    assert (await agent.close()).exit_code == 0
    assert sink.ends == 1


async def test_one_that_talks_unasked_is_held_back_until_somebody_listens() -> None:
    adapter = ScriptedAdapter()
    agent = await opened(adapter)
    adapter.write(*[COMMANDS] * MAX_EARLY_FRAMES)
    await settled()
    assert adapter.is_paused
    adapter.write(update("later"))
    await settled()

    sink = await taken(agent, INITIALIZE, NEW)
    await settled()

    assert len(sink.received) == MAX_EARLY_FRAMES + 3
    assert sink.received[-1] == update("later")
    assert not adapter.is_paused


async def test_a_session_that_holds_it_back_is_obeyed_from_the_start() -> None:
    adapter = ScriptedAdapter()
    agent = await opened(adapter)
    sink = Sink()
    await agent.start(sink)
    agent.pause()
    agent.send(INITIALIZE)
    agent.send(NEW)
    adapter.write(COMMANDS)
    await settled()

    assert adapter.is_paused
    assert [frame["id"] for frame in sink.received] == [11, 12]
    agent.resume()
    await settled()
    assert sink.received[-1] == COMMANDS


@pytest.mark.parametrize("method", ["initialize", "session/new"])
async def test_one_that_only_talks_and_never_answers_is_given_up(method: str) -> None:
    adapter = ScriptedAdapter({method: lambda _frame: [COMMANDS] * MAX_EARLY_FRAMES})

    with pytest.raises(AgentError, match="more than 1000 messages"):
        await preopened(adapter).open()

    assert adapter.is_closed


async def test_one_that_dies_waiting_is_told_of_once() -> None:
    adapter = ScriptedAdapter()
    agent = await opened(adapter)
    told: list[bool] = []
    agent.watch(lambda: told.append(True))
    adapter.die(signal=9)
    await settled()
    assert told == [True]

    agent = await opened(dead := ScriptedAdapter())
    dead.die(3)
    await settled()
    agent.watch(lambda: told.append(True))
    assert told == [True, True]


async def test_a_session_that_took_a_dead_one_hears_its_words_and_its_end() -> None:
    adapter = ScriptedAdapter({"session/new": says({"sessionId": "s1"}, after=[COMMANDS])})
    agent = await opened(adapter)
    adapter.die(3)
    await settled()

    sink = await taken(agent, INITIALIZE)
    assert sink.ends == 0
    agent.send(NEW)

    assert [frame.get("id") for frame in sink.received] == [11, 12, None]
    assert sink.ends == 1
    assert (await agent.close()).exit_code == 3
    assert sink.ends == 1


@pytest.mark.parametrize("is_dead", [True, False])
async def test_closing_before_the_answers_were_asked_for_ends_it(is_dead: bool) -> None:
    adapter = ScriptedAdapter()
    agent = await opened(adapter)
    if is_dead:
        adapter.die(3)
        await settled()
    sink = await taken(agent, INITIALIZE)

    await agent.close()
    await agent.close()

    assert sink.ends == 1
    assert adapter.is_closed


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"initialize": fails("broken")}, AgentError),
        ({"session/new": fails("log in", AUTH_REQUIRED)}, AgentAuthRequired),
    ],
)
async def test_one_that_cannot_be_opened_is_stopped(
    answers: dict[str, Any], error: type[Exception]
) -> None:
    adapter = ScriptedAdapter(answers)

    with pytest.raises(error):
        await preopened(adapter).open()

    assert adapter.is_closed


async def test_one_that_dies_while_it_is_opened_says_how() -> None:
    adapter = ScriptedAdapter({"session/new": silence})
    adapter.answers["initialize"] = lambda frame: [adapter.die(7), *says({})(frame)][1:]

    with pytest.raises(AgentProcessExited, match="exited with code 7"):
        await preopened(adapter).open()


async def test_one_that_cannot_be_started_says_why() -> None:
    adapter = ScriptedAdapter(start_error=AgentNotInstalled("not here"))

    with pytest.raises(AgentNotInstalled):
        await preopened(adapter).open()

    assert adapter.is_closed
