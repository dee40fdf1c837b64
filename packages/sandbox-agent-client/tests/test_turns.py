"""Turns that are begun and not waited for, looked at, and cancelled to their end. Against the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sandbox_agent_client import (
    AgentProcessExited,
    Endpoint,
    MemoryTranscriptStore,
    MessageDelta,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    Turn,
    TurnEnded,
    TurnInfo,
    TurnStarted,
    errors,
)
from sandbox_agent_client._async import prompting
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import MessageItem, Transcript


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock")


@pytest.fixture
def sync_client(endpoint: Endpoint) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        yield client


async def has_begun(turn: Turn) -> None:
    """The agent has said something in it."""
    async for event in turn.events():
        if isinstance(event, MessageDelta):
            return


def last_words(transcript: Transcript) -> MessageItem:
    item = transcript.items()[-1]
    assert isinstance(item, MessageItem)
    return item


# All of them


async def test_the_turns_of_a_session_are_listed_both_ways(session: Session) -> None:
    for prompt in ("text", "refusal", "one\n  more"):
        await session.prompt(prompt)
    turns = await session.turns()
    assert [(turn.prompt, turn.stop_reason) for turn in turns] == [
        ("text", "end_turn"),
        ("refusal", "refusal"),
        ("one more", "end_turn"),
    ]
    first, second, last = turns
    assert await session.turns(reverse=True) == turns[::-1]
    assert await session.turns(limit=2) == [first, second]
    assert await session.turns(reverse=True, limit=2) == [last, second]
    assert await session.turns(after=first.seq, before=last.seq) == [second]
    assert await session.turns(after=first.seq, before=last.seq, reverse=True) == [second]
    assert await session.turns(limit=0) == await session.turns(after=last.seq) == []
    events = [event async for event in session.events(after=second.seq - 1, before=last.seq)]
    assert isinstance(events[0], TurnStarted)
    assert {event.turn_id for event in events if event.turn_id} == {second.id}


async def test_more_turns_than_a_page_has_are_listed_whole(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompting, "PAGE_TURNS", 2)
    for number in range(5):
        await session.prompt(str(number))
    assert [turn.prompt for turn in await session.turns()] == ["0", "1", "2", "3", "4"]
    assert [turn.prompt for turn in await session.turns(reverse=True)] == ["4", "3", "2", "1", "0"]
    assert [turn.prompt for turn in await session.turns(reverse=True, limit=3)] == ["4", "3", "2"]
    assert [turn.prompt for turn in await session.turns(limit=3)] == ["0", "1", "2"]


# Sent, and not waited for


async def test_a_turn_that_was_sent_is_waited_for_when_its_result_is_wanted(
    session: Session,
) -> None:
    turn = await session.send("hello")
    result = await turn.result()
    assert (result.turn_id, result.text) == (turn.id, "You said: hello")
    assert await turn.result() == result
    assert await session.turn(turn.id).result() == result


async def test_turns_that_are_sent_run_in_order_and_say_how_they_stand(session: Session) -> None:
    first, second = await session.send("slow 60"), await session.send("hello")
    await has_begun(first)
    assert [await first.status(), await second.status()] == ["running", "queued"]
    await first.cancel()
    assert (await second.result()).stop_reason == "end_turn"
    told = await first.info()
    assert (told.status, told.stop_reason) == ("ended", "cancelled")
    assert await second.status() == "ended"


async def test_the_events_of_a_turn_are_all_of_it_whenever_they_are_asked_for(
    session: Session,
) -> None:
    await session.prompt("before")
    turn = await session.send("tool")
    live = [event async for event in turn.events()]
    await session.prompt("after")
    later = [event async for event in session.turn(turn.id).events()]
    assert later == live
    assert isinstance(live[0], TurnStarted)
    assert isinstance(live[-1], TurnEnded)


async def test_what_is_known_of_a_turn_is_what_its_end_says(session: Session) -> None:
    result = await session.prompt("hello")
    told = await session.turn(result.turn_id).info()
    assert (told.session_id, told.stop_reason) == (session.id, "end_turn")
    assert (told.usage, told.cost) == (result.usage, result.cost)
    assert told.started_at is not None
    assert told.ended_at is not None
    assert told.queued_at is None


async def test_a_turn_that_failed_says_why_and_its_result_raises(session: Session) -> None:
    turn = await session.send("crash")
    with pytest.raises(AgentProcessExited):
        await turn.result()
    told = await turn.info()
    assert told.stop_reason == "error"
    assert told.error is not None
    assert told.error.code == "agent_process_exited"


async def test_a_turn_that_never_was_is_not_found(session: Session) -> None:
    for ask in (session.turn("turn_x").info, session.turn("turn_x").result):
        with pytest.raises(errors.TurnNotFound):
            await ask()


def test_a_turn_without_await(sync_client: SandboxAgentSync) -> None:
    session = sync_client.create_session("mock")
    turn = session.send("hello")
    assert turn.result().text == "You said: hello"
    assert session.turn(turn.id).status() == "ended"


# Cancelled, to the end


async def test_a_cancel_that_waits_answers_with_how_the_turns_ended(session: Session) -> None:
    running, waiting = await session.send("slow 60"), await session.send("hello")
    await has_begun(running)
    result = await session.cancel(wait=True)
    turns = {turn.id: turn for turn in result.turns}
    assert set(turns) == {running.id, waiting.id} == set(result.cancelled)
    assert [(turn.status, turn.stop_reason) for turn in turns.values()] == [
        ("ended", "cancelled")
    ] * 2
    assert turns[running.id].started_at is not None
    assert turns[waiting.id].started_at is None


async def test_a_cancel_that_does_not_wait_tells_no_ends(session: Session) -> None:
    turn = await session.send("slow 60")
    assert (await turn.cancel()).turns == []
    assert (await turn.result()).stop_reason == "cancelled"


async def test_cancelling_what_has_ended_does_nothing(session: Session) -> None:
    result = await session.prompt("hello")
    cancelled = await session.turn(result.turn_id).cancel(wait=True)
    assert (cancelled.cancelled, cancelled.turns) == ([], [])


async def runs_out_of_time(session: Session) -> None:
    """As soon as the agent has said something."""
    async with asyncio.timeout(None) as limit:
        async for event in session.prompt_stream("slow 60", cancel_on_exit=True):
            if isinstance(event, MessageDelta) and limit.when() is None:
                limit.reschedule(0)


async def test_whoever_leaves_by_a_time_limit_finds_the_turn_ended(session: Session) -> None:
    with pytest.raises(TimeoutError):
        await runs_out_of_time(session)
    (turn,) = (await session.transcript()).turns
    assert (turn.stop_reason, turn.ended_at is not None) == ("cancelled", True)


async def test_whoever_leaves_by_break_and_then_looks_finds_the_turn_ended(
    session: Session,
) -> None:
    turn_id = ""
    async for event in session.prompt_stream("slow 60", cancel_on_exit=True):
        if isinstance(event, MessageDelta):
            turn_id = str(event.turn_id)
            break
    told: TurnInfo = await session.turn(turn_id).info()
    assert (told.status, told.stop_reason) == ("ended", "cancelled")
    transcript = await session.transcript()
    assert last_words(transcript).text.startswith("0")
    assert not last_words(transcript).streaming


async def test_a_turn_that_was_left_is_in_the_store_with_its_end(endpoint: Endpoint) -> None:
    store = MemoryTranscriptStore()
    connection = SandboxAgent.connect(endpoint.url, token=endpoint.token, persistence=store)
    async with connection as client:
        session = await client.create_session("mock")
        with pytest.raises(TimeoutError):
            await runs_out_of_time(session)
        stored = await store.entries(session.id)
        events = [event for entry in stored if (event := project(entry)) is not None]
        ends = [event.stop_reason for event in events if isinstance(event, TurnEnded)]
        assert ends == ["cancelled"]


def test_leaving_without_await_finds_the_turn_ended(sync_client: SandboxAgentSync) -> None:
    session = sync_client.create_session("mock")
    for event in session.prompt_stream("slow 60", cancel_on_exit=True):
        if isinstance(event, MessageDelta):
            break
    assert session.transcript().turns[-1].stop_reason == "cancelled"


# What is being said


async def test_the_transcript_of_a_running_turn_has_what_was_said_so_far(session: Session) -> None:
    turn = await session.send("slow 60")
    await has_begun(turn)
    said = last_words(await session.transcript())
    assert said.streaming
    assert said.text.startswith("0")
    await turn.cancel(wait=True)
    whole = last_words(await session.transcript())
    assert whole.text.startswith(said.text)
    assert not whole.streaming
