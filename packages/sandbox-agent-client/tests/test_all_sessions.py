"""`client.events()` and `client.requests()`: all sessions at once, over every kind of connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    InvalidRequest,
    PermissionRequest,
    QuestionRequest,
    RequestAlreadyResolved,
    SandboxAgent,
    SandboxAgentSync,
    TurnEnded,
)
from sandbox_agent_client._places import AllSessionsPlace
from sandbox_agent_core.frames import LogEntry


@pytest.fixture(params=["sse", "ws", "poll"])
async def client(request: pytest.FixtureRequest, endpoint: Endpoint) -> Any:
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, transport=request.param
    ) as client:
        yield client


async def test_what_happens_in_all_sessions_comes_once_and_goes_on_at_its_cursor(
    client: SandboxAgent,
) -> None:
    stream = client.events(after=await client.event_cursor())
    sessions = [await client.create_session("mock") for _ in range(2)]
    ids = {session.id for session in sessions}
    await asyncio.gather(*(session.prompt("hello") for session in sessions))
    seen: list[Event] = []
    async with aclosing(aiter(stream)) as events:
        async for event in events:
            seen += [event] if event.session_id in ids else []
            if sum(isinstance(one, TurnEnded) for one in seen) == 2:
                break
    for session in sessions:
        own = [event async for event in session.events()]
        assert [one.to_wire() for one in seen if one.session_id == session.id] == [
            one.to_wire() for one in own
        ]
    assert next(one for one in seen if one.payload is not None)
    # Another iteration goes on, and so does another stream, but for what came after its cursor.
    await sessions[0].prompt("again")
    again: list[Event] = []
    async with aclosing(aiter(stream)) as events:
        async for event in events:
            again += [event] if event.session_id in ids else []
            if isinstance(event, TurnEnded) and event.session_id == sessions[0].id:
                break
    first = {(event.session_id, event.seq) for event in seen}
    assert again
    assert first.isdisjoint((event.session_id, event.seq) for event in again)


async def test_only_what_is_asked_for_comes(client: SandboxAgent) -> None:
    cursor = await client.event_cursor()
    session = await client.create_session("mock")
    await session.prompt("hello")
    async with aclosing(
        aiter(client.events(after=cursor, types="turn.*", agent=["mock"]))
    ) as events:
        async for event in events:
            assert event.type.startswith("turn.")
            if isinstance(event, TurnEnded) and event.session_id == session.id:
                break
    with pytest.raises(InvalidRequest, match=r"turn\.begun"):
        async for _event in client.events(types=["turn.begun"]):
            pass
    with pytest.raises(InvalidRequest, match="cursor"):
        async for _event in client.events(after="yesterday"):
            pass


async def test_deltas_come_of_the_sessions_that_somebody_looks_at(client: SandboxAgent) -> None:
    cursor = await client.event_cursor()
    sessions = [await client.create_session("mock") for _ in range(2)]
    for session in sessions:
        await session.prompt("text")
    seen: dict[str, set[str]] = {session.id: set() for session in sessions}
    stream = client.events(after=cursor, agent="mock", deltas_of=[sessions[0].id])
    async with aclosing(aiter(stream)) as events:
        async for event in events:
            if event.session_id in seen:
                seen[event.session_id].add(event.type)
            if all("turn.ended" in types for types in seen.values()):
                break
    assert ["message.delta" in types for types in seen.values()] == [True, False]
    assert all("message.completed" in types for types in seen.values())


async def test_requests_of_all_sessions_are_watched_and_answered(client: SandboxAgent) -> None:
    before = {(one.session_id, one.id) for one in await client.requests()}
    early = await client.create_session("mock")
    waiting = asyncio.create_task(early.prompt("permission"))
    while not [one for one in await client.requests() if one.session_id == early.id]:
        await asyncio.sleep(0)
    answered: list[str] = []
    late = None
    async with aclosing(client.watch_requests()) as requests:
        async for request in requests:
            if (request.session_id, request.id) in before:
                continue  # of another test
            answered.append(request.session_id)
            if isinstance(request, PermissionRequest):
                await request.allow_once()
                with pytest.raises(RequestAlreadyResolved):
                    await request.allow_once()
            if late is None:
                late = await client.create_session("mock")
                asking = asyncio.create_task(late.prompt("question"))
            if isinstance(request, QuestionRequest):
                await request.decline()
                break
    assert answered == [early.id, late.id]
    assert (await waiting).stop_reason == (await asking).stop_reason == "end_turn"
    left = await client.requests(kind=["permission", "question"], agent="mock")
    assert {early.id, late.id}.isdisjoint(one.session_id for one in left)


def test_without_asyncio_a_stream_ends_with_its_client(endpoint: Endpoint) -> None:
    seen: list[str] = []
    has_begun = threading.Event()

    def follow(client: SandboxAgentSync) -> None:
        for event in client.events(after=cursor, types="turn.ended"):
            seen.append(event.session_id)
            has_begun.set()

    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        cursor = client.event_cursor()
        session = client.create_session("mock")
        session.prompt("hello")
        assert session.id not in [request.session_id for request in client.requests()]
        follower = threading.Thread(target=follow, args=[client])
        follower.start()
        assert has_begun.wait(30)
    follower.join(30)
    assert not follower.is_alive()
    assert session.id in seen


def wire(session_id: str, seq: int, time_ms: int = 0) -> dict[str, Any]:
    entry = LogEntry(
        session_id=session_id, seq=seq, time_ms=time_ms, sender="server", payload={"method": "x"}
    )
    return {"sessionId": session_id, **entry.to_wire()}


def test_what_comes_again_after_a_new_connection_is_dropped() -> None:
    place = AllSessionsPlace(None)
    assert place.accept({"cursor": "c1"}) is None
    given = [("a", 1), ("b", 7), ("a", 2), ("a", 1), ("b", 7), ("a", 2), ("a", 3)]
    taken = [(one.session_id, one.seq) for pair in given if (one := place.accept(wire(*pair)))]
    assert taken == [("a", 1), ("b", 7), ("a", 2), ("a", 3)]
    assert place.after == "c1"
    # A session that was deleted and made again begins with 1, later.
    again = place.accept(wire("a", 1, time_ms=1000))
    assert again is not None
