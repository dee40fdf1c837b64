"""Every method of a session, against the real server and its mock agent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sandbox_agent_client import (
    AgentProcessExited,
    ConfigChanged,
    Endpoint,
    Event,
    InvalidRequest,
    MessageCompleted,
    MessageDelta,
    ModeChanged,
    SandboxAgent,
    Session,
    SessionClosed,
    SessionNotFound,
    ToolCompleted,
    TurnDropped,
    TurnEnded,
    TurnStarted,
    errors,
)
from sandbox_agent_client._async import connection
from sandbox_agent_core.ids import new_id


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock", metadata={"of": "the tests"})


async def gather(session: Session, prompt: str, **options: bool) -> list[Event]:
    return [event async for event in session.prompt_stream(prompt, **options)]


async def test_a_prompt_answers_when_the_turn_has_ended(session: Session) -> None:
    result = await session.prompt("hello")
    assert result.stop_reason == "end_turn"
    assert result.text == "You said: hello"
    assert result.usage is not None
    assert result.usage.input_tokens
    assert result.turn_id.startswith("turn_")


async def test_a_prompt_may_be_blocks(session: Session) -> None:
    result = await session.prompt([{"type": "text", "text": "as a block"}])
    assert result.text == "You said: as a block"


async def test_a_stream_gives_the_events_of_its_turn_and_then_ends(session: Session) -> None:
    await session.prompt("an earlier turn")
    events = await gather(session, "tool")
    assert isinstance(events[0], TurnStarted)
    assert isinstance(events[-1], TurnEnded)
    assert len({event.turn_id for event in events}) == 1
    assert "".join(event.text for event in events if isinstance(event, MessageDelta))
    assert [event.status for event in events if isinstance(event, ToolCompleted)] == ["completed"]


async def test_an_event_carries_the_frame_it_came_from(session: Session) -> None:
    events = await gather(session, "hello")
    delta = next(event for event in events if isinstance(event, MessageDelta))
    assert delta.sender == "agent"
    assert delta.payload is not None
    assert delta.payload["method"] == "session/update"


async def test_a_turn_that_fails_raises_in_prompt_and_tells_in_a_stream(session: Session) -> None:
    with pytest.raises(errors.AgentError):
        await session.prompt("error")
    end = (await gather(session, "error"))[-1]
    assert isinstance(end, TurnEnded)
    assert end.stop_reason == "error"
    assert end.error is not None


async def test_an_agent_that_dies_raises_what_it_left_behind(session: Session) -> None:
    with pytest.raises(AgentProcessExited) as caught:
        await session.prompt("crash")
    assert caught.value.details["exitCode"] == 7
    assert "mock agent" in caught.value.details["stderrTail"]


async def test_leaving_a_stream_does_not_cancel_the_turn(session: Session) -> None:
    async for event in session.prompt_stream("stream 20 20"):
        if isinstance(event, MessageDelta):
            break
    end = await end_of_turn(session, event.turn_id)
    assert end.stop_reason == "end_turn"


async def test_leaving_a_stream_cancels_the_turn_when_asked_to(session: Session) -> None:
    stream = session.prompt_stream("slow 60", cancel_on_exit=True)
    async for event in stream:
        if isinstance(event, MessageDelta):
            break
    await stream.aclose()
    assert (await end_of_turn(session, event.turn_id)).stop_reason == "cancelled"


async def test_a_task_that_is_cancelled_in_a_stream_cancels_the_turn_when_asked_to(
    session: Session,
) -> None:
    turn: list[str | None] = []

    async def watch() -> None:
        async for event in session.prompt_stream("slow 60", cancel_on_exit=True):
            turn.append(event.turn_id)

    task = asyncio.create_task(watch())
    async with asyncio.timeout(30):
        while not turn:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (await end_of_turn(session, turn[0])).stop_reason == "cancelled"


async def test_a_stream_that_is_open_when_the_client_closes_cancels_the_turn_when_asked_to(
    session: Session, endpoint: Endpoint
) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as second:
        same = await second.get_session(session.id)
        async for event in same.prompt_stream("slow 60", cancel_on_exit=True):
            if isinstance(event, MessageDelta):
                break
    assert (await end_of_turn(session, event.turn_id)).stop_reason == "cancelled"


async def end_of_turn(session: Session, turn_id: str | None) -> TurnEnded:
    async with asyncio.timeout(30):
        async for event in session.stream(after=0):
            if isinstance(event, TurnEnded) and event.turn_id == turn_id:
                return event
    raise AssertionError


async def test_cancel_ends_the_turn_that_runs_and_those_that_wait(session: Session) -> None:
    running = asyncio.create_task(gather(session, "slow 60"))
    async with asyncio.timeout(30):
        while (await session.refresh()).status != "running":
            await asyncio.sleep(0.01)
    waiting = asyncio.create_task(gather(session, "never"))
    async with asyncio.timeout(30):
        while not (await session.refresh()).queued_turns:
            await asyncio.sleep(0.01)
    cancelled = (await session.cancel()).cancelled
    first, second = await running, await waiting
    assert isinstance(first[-1], TurnEnded)
    assert first[-1].stop_reason == "cancelled"
    assert isinstance(second[-1], TurnDropped)
    assert set(cancelled) == {first[-1].turn_id, second[-1].turn_id}


async def test_prompts_queue_and_each_gets_its_own_answer(session: Session) -> None:
    results = await asyncio.gather(*(session.prompt(f"number {n}") for n in range(4)))
    assert [result.text for result in results] == [f"You said: number {n}" for n in range(4)]


async def test_history_can_be_read_in_parts(session: Session) -> None:
    await session.prompt("text")
    everything = [event async for event in session.events()]
    assert [event.seq for event in everything] == sorted(event.seq for event in everything)
    some = [event async for event in session.events(limit=2)]
    assert some == everything[:2]
    rest = [event async for event in session.events(after=some[-1].seq)]
    assert rest == everything[2:]
    whole = [event async for event in session.events(deltas=False)]
    assert [type(event) for event in whole if isinstance(event, MessageDelta)] == []
    assert [event.text for event in whole if isinstance(event, MessageCompleted)]
    assert [event async for event in session.events(limit=0)] == []


async def test_history_can_be_read_from_its_end(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PAGE_ENTRIES", 7)
    await session.prompt("text")
    everything = [event async for event in session.events()]
    assert len(everything) > 2 * connection.PAGE_ENTRIES

    async def backwards(**wanted: Any) -> list[Event]:
        return [event async for event in session.events(reverse=True, **wanted)]

    assert await backwards() == everything[::-1]
    assert await backwards(limit=9) == everything[:-10:-1]
    assert await backwards(limit=2) == everything[:-3:-1]
    assert await backwards(limit=0) == []
    begin, end = everything[3].seq, everything[-3].seq
    between = [event async for event in session.events(after=begin, before=end)]
    assert between == everything[4:-3]
    assert await backwards(after=begin, before=end) == between[::-1]
    assert await backwards(before=1) == [event async for event in session.events(before=1)] == []
    whole = [event async for event in session.events(deltas=False)]
    assert await backwards(deltas=False) == whole[::-1]
    assert len(whole) < len(everything)


async def test_frames_are_the_whole_log(session: Session) -> None:
    await session.prompt("hello")
    last = (await session.refresh()).last_seq
    seqs = []
    async for entry in session.frames(after=0):
        seqs.append(entry.seq)
        if entry.seq == last:
            break
    assert seqs == list(range(1, last + 1))


async def test_a_stream_without_a_cursor_starts_now(session: Session) -> None:
    await session.prompt("before")
    stream = session.stream()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await session.prompt("after")
    event = await asyncio.wait_for(first, 5)
    assert isinstance(event, TurnStarted)
    assert event.text == "after"
    await stream.aclose()


async def test_settings_are_set_and_known(session: Session) -> None:
    assert (await session.set_mode("plan")).mode == "plan"
    assert (await session.set_model("mock-smart")).model == "mock-smart"
    assert (await session.set_thought_level("high")).thought_level == "high"
    await session.set_config_option("model", "mock-fast")
    assert session.info.model == "mock-fast"
    info = await session.set_permission_policy({"default": "allow", "timeoutS": 5})
    assert info.permission_policy.default == "allow"
    assert (await session.set_metadata({"a": 1})).metadata == {"a": 1}
    events = [event async for event in session.events()]
    assert [event.mode_id for event in events if isinstance(event, ModeChanged)] == ["plan"]
    assert any(isinstance(event, ConfigChanged) for event in events)


async def test_what_an_agent_does_not_offer_is_refused_with_what_it_does(session: Session) -> None:
    with pytest.raises(errors.ModeNotSupported):
        await session.set_mode("no such mode")
    with pytest.raises(errors.ValueNotSupported):
        await session.set_model("no such model")


async def test_the_transcript_is_folded(session: Session) -> None:
    await session.prompt("hello")
    transcript = await session.transcript()
    assert transcript.session_id == session.id
    assert [turn.stop_reason for turn in transcript.turns if turn.id] == ["end_turn"]


async def test_a_session_that_was_ended_takes_no_prompts_but_can_be_read(session: Session) -> None:
    await session.prompt("hello")
    await session.end()
    await session.end()
    assert (await session.refresh()).status == "ended"
    with pytest.raises(SessionClosed):
        await session.prompt("more")
    assert [event async for event in session.events(limit=1)]


async def test_a_deleted_session_is_gone(session: Session, client: SandboxAgent) -> None:
    await session.prompt("hello")
    await session.delete()
    assert session.id not in [one.id for one in await client.list_sessions()]
    with pytest.raises(SessionNotFound):
        await session.refresh()
    with pytest.raises(SessionNotFound):
        await session.delete()
    with pytest.raises(SessionNotFound):
        await client.delete_session("no-such-session")


async def test_an_ended_session_can_be_resumed(session: Session, client: SandboxAgent) -> None:
    await session.prompt("hello")
    await client.end_session(session.id)
    again = await client.resume_session(session.id)
    assert (await again.prompt("go on")).text == "You said: go on"


async def test_sessions_are_found(session: Session, client: SandboxAgent) -> None:
    assert (await client.get_session(session.id)).info.metadata == {"of": "the tests"}
    assert session.id in [one.id for one in await client.list_sessions()]
    assert len(await client.list_sessions(limit=1)) == 1
    with pytest.raises(SessionNotFound):
        await client.get_session("no-such-session")
    with pytest.raises(SessionNotFound):
        await client.resume_session("no-such-session")


async def test_sessions_are_found_by_agent_status_title_and_metadata(client: SandboxAgent) -> None:
    tag = new_id("tag")
    made = [
        await client.create_session(
            "mock", title=f"Größe {number}", metadata={"tag": tag, "n": number, "done": number > 1}
        )
        for number in range(3)
    ]
    await made[0].end()

    async def found(**wanted: Any) -> list[str | None]:
        listed = await client.list_sessions(
            metadata={"tag": tag, **wanted.pop("metadata", {})}, **wanted
        )
        return [one.title for one in listed]

    assert await found() == ["Größe 2", "Größe 1", "Größe 0"]
    assert await found(status="ended") == ["Größe 0"]
    assert await found(status=["idle", "running"], agent="mock") == ["Größe 2", "Größe 1"]
    assert await found(title="grÖSSE 1") == ["Größe 1"]
    await made[2].prompt("Mend the   login page")
    assert await found(q=f"LOGIN mend tag:{tag}") == ["Größe 2"]
    assert await found(q="größe") == ["Größe 2", "Größe 1", "Größe 0"]
    assert await found(q="größe elsewhere") == []
    assert (await made[2].refresh()).first_prompt == "Mend the login page"
    assert await found(metadata={"n": 1, "done": False}) == ["Größe 1"]
    assert await found(metadata={"n": "1"}) == ["Größe 1"]
    assert await found(agent="claude") == await found(metadata={"other": None}) == []
    with pytest.raises(InvalidRequest, match="status"):
        await client.list_sessions(status="sleeping")  # type: ignore[arg-type]


async def test_a_list_goes_on_where_its_limit_ended(client: SandboxAgent) -> None:
    tag = new_id("tag")
    ids = [(await client.create_session("mock", metadata={"tag": tag})).id for _ in range(3)]
    await client.create_session("mock")
    seen: list[str] = []
    cursor = None
    while True:
        page = await client.list_sessions(limit=2, cursor=cursor, metadata={"tag": tag})
        seen += [one.id for one in page]
        assert len(page) <= 2
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]


async def test_an_id_is_taken_once(client: SandboxAgent) -> None:
    session = await client.create_session("mock", id=f"mine-{id(client)}")
    with pytest.raises(errors.SessionAlreadyExists):
        await client.create_session("mock", id=session.id)
    again = await client.resume_or_create_session(session.id, "mock")
    assert again.info.created_at == session.info.created_at
    fresh = await client.resume_or_create_session(f"{session.id}-b", "mock", mode="plan")
    assert fresh.info.mode == "plan"


async def test_agents_and_health_are_told(client: SandboxAgent) -> None:
    assert (await client.health()).status == "ok"
    agents = {agent.id: agent for agent in await client.list_agents()}
    assert agents["mock"].installed
    with pytest.raises(errors.UnsupportedAgent):
        await client.create_session("no-such-agent")


async def test_a_wrong_token_is_refused(client: SandboxAgent) -> None:
    with pytest.raises(errors.TokenInvalid):
        await SandboxAgent.connect(client.base_url, token="wrong")


async def test_a_closed_client_says_so(client: SandboxAgent, session: Session) -> None:
    await client.close()
    await client.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.on_event(print)
    with pytest.raises(RuntimeError, match="closed"):
        await session.refresh()
