"""Steering, compacting, reviewing, forking and going back, against the real server and its mock agent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    InvalidRequest,
    MemoryTranscriptStore,
    MessageDelta,
    PromptResult,
    SandboxAgent,
    SandboxAgentSync,
    Session,
)
from sandbox_agent_client.persistence.replay import new_context


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock")


async def text_of(session: Session) -> str:
    return (await session.prompt("history")).text


async def waiting(session: Session) -> asyncio.Task[PromptResult]:
    """A turn that runs until something is said into it."""
    has_begun = asyncio.Event()
    stop = session.on_event(lambda event: has_begun.set() if _is_said(event) else None)
    task = asyncio.create_task(session.prompt("wait"))
    await asyncio.wait_for(has_begun.wait(), 10)
    stop()
    return task


def _is_said(event: Any) -> bool:
    return isinstance(event, MessageDelta)


async def test_what_is_said_into_a_turn_is_taken_into_it(session: Session) -> None:
    turn = await waiting(session)
    steered = await session.steer("go on")
    result = await turn
    assert (steered.how, steered.turn_id) == ("steered", result.turn_id)
    assert "You said meanwhile: go on" in result.text


async def test_compacting_and_reviewing_are_turns(session: Session) -> None:
    await session.prompt("text")
    assert (await session.compact("be brief")).stop_reason == "end_turn"
    assert "against main" in (await session.review(branch="main")).text
    assert "uncommitted" in (await session.review()).text
    with pytest.raises(InvalidRequest):
        await session.review(branch="main", commit="abc")


async def test_a_fork_is_a_session(client: SandboxAgent, session: Session) -> None:
    first = await session.prompt("text")
    await session.prompt("text")
    fork = await session.fork(before_turn_id=first.turn_id, title="Another way", mode="bypass")
    assert (fork.info.title, fork.info.mode) == ("Another way", "bypass")
    assert fork.info.forked_from is not None
    assert fork.info.forked_from.session_id == session.id
    assert "before prompt 0" in await text_of(fork)
    assert (await client.get_session(fork.id)).info.forked_from == fork.info.forked_from


async def test_the_store_goes_on_with_a_fork_where_it_came_from(endpoint: Endpoint) -> None:
    store = MemoryTranscriptStore()
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock", system_prompt="Be kind.", title="Parser")
        await session.prompt("remember this")
        fork = await session.fork(metadata={"way": 2})
        await fork.prompt("and this")
        members = await new_context(store, fork.id)
    assert members is not None
    assert "remember this" in members["context"]
    assert "and this" in members["context"]
    assert (members["system_prompt"], members["metadata"]) == ("Be kind.", {"way": 2})
    assert "title" not in members


async def test_going_back_and_undoing(session: Session) -> None:
    for text in ("text", "edit", "text"):
        last = await session.prompt(text)
    would = await session.rewind(dry_run=True)
    assert would.turn_ids == [last.turn_id]
    assert (await session.undo()).turn_ids == [last.turn_id]
    undone = await session.undo()
    assert undone.files_changed is not None
    assert len(undone.files_changed) == 1
    assert (await text_of(session)).endswith("0. text")
    assert [turn.rewound for turn in (await session.transcript()).turns if turn.id][:3] == [
        None,
        True,
        True,
    ]


async def test_a_title_and_a_native_request(session: Session) -> None:
    assert (await session.rename("Parser")).title == "Parser"
    assert (await session.native("echo", {"a": 1}))["echo"] == {"a": 1}


def test_all_of_it_without_async(endpoint: Endpoint) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("mock", title="Parser")
        assert session.steer("text").how == "started"
        assert session.compact().stop_reason == "end_turn"
        assert session.review(instructions="the tests").stop_reason == "end_turn"
        assert session.fork().info.forked_from is not None
        session.prompt("text")
        assert session.undo().conversation is True
        assert session.native("echo") == {"echo": {}, "sessionId": session.info.agent_session_id}
        assert session.rename("Lexer").title == "Lexer"
