"""Steering, forking and going back, where an agent does what agents should not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from house import House
from sandbox_agent_core.api.long_work import ForkSession, RewindRequest
from sandbox_agent_core.errors import Conflict
from sandbox_agent_core.frames import acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import error_response, response
from support.scripted_adapter import fails, says, silence
from talk import settled, until

CAPABILITIES = {
    "steer": True,
    "compact": True,
    "fork": {"at": True},
    "rewind": {"files": True, "conversation": True},
}


@pytest.fixture
async def session(house: House) -> Any:
    hello = {"protocolVersion": 1, "agentCapabilities": {"_meta": {"sandbox_agent": CAPABILITIES}}}
    house.answers[acp.INITIALIZE] = hello
    await house.create()
    return house.live()


def blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def asked(house: House, method: str) -> list[Any]:
    """Params of what reached the agent, with the id."""
    sent = [one for one in house.agent.sent if one.get("method") == method]
    return [{**one["params"], "id": one["id"]} for one in sent]


def ends_turn(house: House) -> Any:
    return response(asked(house, acp.SESSION_PROMPT)[-1]["id"], {"stopReason": "end_turn"})


async def steering(session: Any, text: str) -> Any:
    task = asyncio.ensure_future(session.steer(blocks(text)))
    await settled()
    return task


# Steering


async def test_what_an_agent_refuses_because_its_turn_is_over_becomes_a_prompt(
    house: House, session: Any
) -> None:
    house.agent.answers[operations.SESSION_STEER] = silence
    session.prompt(blocks("a"))
    task = await steering(session, "b")
    (steer,) = asked(house, operations.SESSION_STEER)
    house.agent.write(ends_turn(house), error_response(steer["id"], -32600, "no turn runs"))
    steered = await asyncio.wait_for(task, 5)
    assert steered.how == "started"
    assert [one["prompt"] for one in asked(house, acp.SESSION_PROMPT)] == [blocks("a"), blocks("b")]


async def test_what_an_agent_took_in_the_moment_of_the_end_is_of_that_turn(
    house: House, session: Any
) -> None:
    house.agent.answers[operations.SESSION_STEER] = silence
    turn, _, _ = session.prompt(blocks("a"))
    task = await steering(session, "b")
    (steer,) = asked(house, operations.SESSION_STEER)
    house.agent.write(ends_turn(house))
    await settled()
    house.agent.write(response(steer["id"], {}))
    steered = await asyncio.wait_for(task, 5)
    assert (steered.how, steered.turn_id) == ("steered", turn.id)
    assert len(asked(house, acp.SESSION_PROMPT)) == 1


async def test_an_agent_that_says_nothing_to_it_gets_it_as_a_prompt(house: House) -> None:
    await house.restart(limits={"steer_grace_s": 0.01})
    house.answers[operations.SESSION_STEER] = silence
    hello = {"protocolVersion": 1, "agentCapabilities": {"_meta": {"sandbox_agent": CAPABILITIES}}}
    house.answers[acp.INITIALIZE] = hello
    await house.create()
    session = house.live()
    assert session is not None
    session.prompt(blocks("a"))
    task = await steering(session, "b")
    house.agent.write(ends_turn(house))
    steered = await asyncio.wait_for(task, 5)
    assert steered.how == "started"


async def test_what_was_said_to_an_agent_that_died_becomes_a_prompt(
    house: House, session: Any
) -> None:
    house.agent.answers[operations.SESSION_STEER] = silence
    session.prompt(blocks("a"))
    task = await steering(session, "b")
    house.agent.die(exit_code=1)
    steered = await asyncio.wait_for(task, 5)
    assert steered.how in ("queued", "started")
    await until(lambda: len(house.acme.made) == 2 and asked(house, acp.SESSION_PROMPT))
    assert asked(house, acp.SESSION_PROMPT)[-1]["prompt"][-1]["text"] == "b"


async def test_a_turn_that_is_being_cancelled_is_not_steered(house: House, session: Any) -> None:
    session.prompt(blocks("a"))
    session.cancel(None)
    steered = await session.steer(blocks("b"))
    assert steered.how == "queued"
    assert asked(house, operations.SESSION_STEER) == []


async def test_nothing_is_said_into_a_compaction(house: House, session: Any) -> None:
    house.agent.answers[operations.SESSION_COMPACT] = silence
    session.compact(None)
    steered = await session.steer(blocks("b"))
    assert steered.how == "queued"
    assert asked(house, operations.SESSION_STEER) == []


# Forking


async def test_an_agent_that_will_not_fork_after_all_is_given_the_transcript(
    house: House, session: Any
) -> None:
    house.answers[acp.SESSION_FORK] = fails("no such session")
    session.prompt(blocks("remember this"))
    house.agent.write(ends_turn(house))
    await settled()
    info = await house.manager.fork("ses_1", ForkSession(id="ses_2"))
    assert info.forked_from is not None
    assert (info.forked_from.how, info.forked_from.reason) == ("transcript", "no such session")
    house.prompt("ses_2", "go on")
    context, _typed = asked(house, acp.SESSION_PROMPT)[-1]["prompt"]
    assert "remember this" in context["text"]
    assert next(one.method for one in house.entries("ses_2")) == extensions.SESSION_CREATED


async def test_a_fork_is_not_made_where_its_agent_cannot_start(house: House, session: Any) -> None:
    def dies(_frame: Any) -> list[Any]:
        house.agent.die(exit_code=3)
        return []

    house.answers[acp.SESSION_FORK] = dies
    with pytest.raises(Exception, match="exited with code 3"):
        await house.manager.fork("ses_1", ForkSession(id="ses_2"))
    assert [one.id for one in house.manager.reader.list(cursor=None, limit=10).sessions] == [
        "ses_1"
    ]


async def test_a_fork_has_the_secrets_of_the_session_while_the_server_has_them(
    house: House,
) -> None:
    hello = {"protocolVersion": 1, "agentCapabilities": {"_meta": {"sandbox_agent": CAPABILITIES}}}
    house.answers |= {acp.INITIALIZE: hello, acp.SESSION_FORK: says({"sessionId": "f1"})}
    await house.create(env={"ACME_KEY": "k1", "OTHER": "o"})
    await house.manager.fork("ses_1", ForkSession(id="ses_2", env={"OTHER": "new"}))
    env = house.acme.contexts[-1].env
    assert (env["ACME_KEY"], env["OTHER"]) == ("k1", "new")
    assert asked(house, acp.SESSION_FORK)[-1]["sessionId"] == "s1"


async def test_a_native_fork_that_loses_its_memory_is_told_of_what_it_was_forked_from(
    house: House, session: Any
) -> None:
    house.answers[acp.SESSION_FORK] = says({"sessionId": "f1"})
    session.prompt(blocks("remember this"))
    house.agent.write(ends_turn(house))
    await settled()
    await house.manager.fork("ses_1", ForkSession(id="ses_2"))
    house.prompt("ses_2", "first")
    assert len(asked(house, acp.SESSION_PROMPT)[-1]["prompt"]) == 1
    house.agent.write(ends_turn(house))
    await settled()
    made = len(house.acme.made)
    await house.restart()
    house.prompt("ses_2", "second")
    await until(lambda: len(house.acme.made) > made and asked(house, acp.SESSION_PROMPT))
    context, _typed = asked(house, acp.SESSION_PROMPT)[-1]["prompt"]
    assert "remember this" in context["text"]
    assert "first" in context["text"]


# Going back


async def test_a_prompt_that_comes_while_the_session_goes_back_waits(
    house: House, session: Any
) -> None:
    house.agent.answers[operations.SESSION_REWIND] = silence
    session.prompt(blocks("a"))
    house.agent.write(ends_turn(house))
    await settled()
    task = asyncio.ensure_future(session.rewind(RewindRequest()))
    await until(lambda: asked(house, operations.SESSION_REWIND))
    session.prompt(blocks("b"))
    await settled()
    assert len(asked(house, acp.SESSION_PROMPT)) == 1
    (rewind,) = asked(house, operations.SESSION_REWIND)
    assert rewind["promptIndex"] == 0
    house.agent.write(response(rewind["id"], {"filesChanged": ["a.py"]}))
    assert (await asyncio.wait_for(task, 5)).files_changed == ["a.py"]
    assert len(asked(house, acp.SESSION_PROMPT)) == 2


async def test_a_session_whose_agent_refuses_has_not_gone_back(house: House, session: Any) -> None:
    house.agent.answers[operations.SESSION_REWIND] = fails("not now")
    session.prompt(blocks("a"))
    house.agent.write(ends_turn(house))
    await settled()
    with pytest.raises(Exception, match="not now"):
        await session.rewind(RewindRequest())
    assert extensions.SESSION_REWOUND not in [one.method for one in house.entries()]


async def test_what_the_agent_has_forgotten_it_is_not_asked_to_forget(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt(blocks("a"))
    house.agent.write(ends_turn(house))
    await settled()
    made = len(house.acme.made)
    await house.restart()
    house.prompt("ses_1", "b")  # the agent cannot load, so it begins anew
    await until(lambda: len(house.acme.made) > made and asked(house, acp.SESSION_PROMPT))
    house.agent.write(ends_turn(house))
    await settled()
    with house.manager.session("ses_1") as again:
        with pytest.raises(Conflict):
            await again.rewind(RewindRequest(turn_id=turn.id, conversation=False))
        done = await again.rewind(RewindRequest(turn_id=turn.id, files=False))
    assert done.how == "transcript"
    assert asked(house, operations.SESSION_REWIND) == []
