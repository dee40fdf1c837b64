"""Callbacks in the background: events, permissions, questions, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    MessageCompleted,
    PermissionRequest,
    PermissionResolved,
    QuestionRequest,
    QuestionResolved,
    SandboxAgent,
    SandboxAgentError,
    Session,
    TurnEnded,
    errors,
)


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock")


@pytest.fixture
async def other(endpoint: Endpoint, session: Session) -> AsyncIterator[Session]:
    """The same session, seen by a second client."""
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as second:
        yield await second.get_session(session.id)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def resolution(session: Session) -> PermissionResolved:
    found = [event async for event in session.events() if isinstance(event, PermissionResolved)]
    assert len(found) == 1
    return found[0]


async def test_every_event_from_now_on_is_told_in_order(session: Session) -> None:
    await session.prompt("before")
    seen: list[Event] = []
    session.on_event(seen.append)
    await session.prompt("after")
    await until(lambda: seen and isinstance(seen[-1], TurnEnded))
    history = [event async for event in session.events(after=seen[0].seq - 1)]
    assert seen == history
    assert [event.text for event in seen if isinstance(event, MessageCompleted)] == [
        "You said: after"
    ]


async def test_an_async_callback_is_waited_for(session: Session) -> None:
    seen: list[int] = []

    async def slow(event: Event) -> None:
        await asyncio.sleep(0)
        seen.append(event.seq)

    session.on_event(slow)
    await session.prompt("text")
    last = (await session.refresh()).last_seq
    await until(lambda: seen and seen[-1] == last)
    assert seen == sorted(seen)


async def test_a_callback_can_ask_for_the_past(session: Session) -> None:
    await session.prompt("before")
    live: list[Event] = []
    replay: list[Event] = []
    session.on_event(live.append)
    await session.prompt("between")
    await until(lambda: live and isinstance(live[-1], TurnEnded))
    # The reader that runs is past this point: the newcomer gets one of its own.
    session.on_event(replay.append, after=0)
    history = [event async for event in session.events()]
    await until(lambda: len(replay) == len(history))
    assert replay == history
    assert live == history[-len(live) :]


async def test_a_callback_that_fails_does_not_stop_the_others(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []

    def fail(_event: Event) -> None:
        raise ZeroDivisionError

    session.on_event(fail)
    session.on_event(seen.append)
    await session.prompt("hello")
    await until(lambda: seen and isinstance(seen[-1], TurnEnded))
    assert "a callback failed" in caplog.text


async def test_unsubscribing_ends_the_calls_and_the_reader(session: Session) -> None:
    seen: list[Event] = []
    first, second = session.on_event(seen.append), session.on_event(seen.append)
    await session.prompt("one")
    await until(lambda: len([event for event in seen if isinstance(event, TurnEnded)]) == 2)
    first()
    second()
    second()
    count = len(seen)
    await session.prompt("two")
    assert len(seen) == count
    # And again, with a new reader that does not repeat what was told.
    session.on_event(seen.append)
    await session.prompt("three")
    await until(lambda: isinstance(seen[-1], TurnEnded) and len(seen) > count)
    texts = [event.text for event in seen[count:] if isinstance(event, MessageCompleted)]
    assert "You said: one" not in texts
    assert "You said: three" in texts


async def test_a_callback_can_unsubscribe_itself(session: Session) -> None:
    seen: list[Event] = []

    async def once(event: Event) -> None:
        stop()
        await asyncio.sleep(0)
        seen.append(event)

    stop = session.on_event(once)
    await session.prompt("hello")
    await session.prompt("hello")
    assert len(seen) == 1


async def test_the_end_of_a_stream_is_told(endpoint: Endpoint) -> None:
    told: list[SandboxAgentError] = []
    client = await SandboxAgent.connect(endpoint.url, token=endpoint.token, reconnect_timeout=0.01)
    session = await client.create_session("mock")
    client._connection.transport.endpoint = Endpoint(url="http://127.0.0.1:1")
    session.on_event(lambda event: None, on_error=told.append)
    await until(lambda: told)
    assert isinstance(told[0], errors.ServerUnreachable)
    await client.close()


async def test_a_permission_is_answered_by_a_callback(session: Session) -> None:
    session.on_permission(lambda request: request.allow_once())
    result = await session.prompt("permission")
    assert "I ran touch allowed.txt" in result.text
    event = await resolution(session)
    assert (event.option_kind, event.decided_by) == ("allow_once", "user")


async def test_a_callback_sees_what_is_asked(session: Session) -> None:
    seen: list[PermissionRequest] = []

    async def reject(request: PermissionRequest) -> None:
        seen.append(request)
        answer = await request.reject(actor="the test")
        assert (answer.decided_by, answer.actor) == ("user", "the test")

    session.on_permission(reject)
    assert "did not allow" in (await session.prompt("permission")).text
    (request,) = seen
    assert request.title == "touch allowed.txt"
    assert request.command == "touch allowed.txt"
    assert request.tool_call is not None
    assert request.tool_call.kind == "execute"
    assert request.is_pending
    assert request.turn_id is not None
    assert {option.kind for option in request.options} >= {"allow_once", "reject_once"}
    assert "touch" in repr(request)


async def test_a_permission_can_be_given_for_good(session: Session) -> None:
    asked: list[str] = []

    async def always(request: PermissionRequest) -> None:
        asked.append(request.id)
        await request.allow_always()

    session.on_permission(always)
    await session.prompt("permission")
    await session.prompt("permission")
    assert len(asked) == 1


async def test_an_option_can_be_chosen_by_its_id(session: Session) -> None:
    async def choose(request: PermissionRequest) -> None:
        await request.respond(request.options[-1].option_id)

    session.on_permission(choose)
    await session.prompt("permission")
    assert (await resolution(session)).option_id is not None


async def test_what_was_asked_before_the_callback_is_given_to_it(
    session: Session, other: Session
) -> None:
    turn = asyncio.create_task(session.prompt("permission"))
    async with asyncio.timeout(5):
        while not await other.requests():
            await asyncio.sleep(0.01)
    other.on_permission(lambda request: request.allow_once())
    assert "I ran" in (await turn).text


async def test_of_two_clients_the_first_answer_counts_and_the_other_is_no_error(
    session: Session, other: Session, caplog: pytest.LogCaptureFixture
) -> None:
    both = asyncio.Barrier(2)
    answered: list[str] = []

    def racing(name: str, allow: bool) -> Callable[[PermissionRequest], object]:
        async def race(request: PermissionRequest) -> None:
            await both.wait()
            await (request.allow_once() if allow else request.reject())
            answered.append(name)

        return race

    session.on_permission(racing("first", allow=True))
    other.on_permission(racing("second", allow=False))
    with caplog.at_level(logging.WARNING):
        await session.prompt("permission")
        async with asyncio.timeout(5):  # the turn may end before the winner hears that it won
            while not answered:
                await asyncio.sleep(0.01)
    assert len(answered) == 1
    kind = (await resolution(session)).option_kind
    assert kind == ("allow_once" if answered == ["first"] else "reject_once")
    assert caplog.text == ""


async def test_a_late_answer_is_refused_with_the_first(session: Session) -> None:
    session.on_permission(lambda request: request.allow_once())
    await session.prompt("permission")
    (request,) = await session.requests(status="all")
    assert await session.requests() == []
    assert request.info.resolution is not None
    assert not request.is_pending
    with pytest.raises(errors.RequestAlreadyResolved):
        await session.respond(request.id, reply="reject")
    with pytest.raises(errors.RequestNotFound):
        await session.respond("no-such-request", reply="reject")


async def test_a_callback_that_fails_leaves_the_request_open(
    session: Session, other: Session, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_request: PermissionRequest) -> None:
        raise ZeroDivisionError

    session.on_permission(fail)
    turn = asyncio.create_task(session.prompt("permission"))
    await until(lambda: "stays open" in caplog.text)
    (request,) = await other.requests()
    assert isinstance(request, PermissionRequest)
    await request.allow_once()
    assert "I ran" in (await turn).text


async def test_a_permission_that_waits_does_not_hold_up_events(session: Session) -> None:
    seen: list[Event] = []
    may = asyncio.Event()

    async def think(request: PermissionRequest) -> None:
        await may.wait()
        await request.allow_once()

    session.on_permission(think)
    session.on_event(seen.append)
    turn = asyncio.create_task(session.prompt("permission"))
    await until(lambda: any(event.type == "permission.requested" for event in seen))
    await session.set_metadata({"meanwhile": True})
    may.set()
    await turn
    await until(lambda: isinstance(seen[-1], TurnEnded))


async def test_a_question_is_answered(session: Session) -> None:
    seen: list[QuestionRequest] = []

    async def answer(request: QuestionRequest) -> None:
        seen.append(request)
        await request.answer(
            {
                question.id: [question.options[0].label]
                if question.multi_select
                else question.options[0].label
                for question in request.questions
            }
        )

    session.on_question(answer)
    await session.prompt("question")
    assert seen[0].message
    events = [event async for event in session.events() if isinstance(event, QuestionResolved)]
    assert [event.outcome for event in events] == ["answered"]


async def test_a_question_can_be_declined(session: Session) -> None:
    session.on_question(lambda request: request.decline())
    await session.prompt("question")
    events = [event async for event in session.events() if isinstance(event, QuestionResolved)]
    assert [event.outcome for event in events] == ["declined"]


async def test_no_task_is_left_when_the_client_is_closed(endpoint: Endpoint) -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.Event()
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")

        async def never(_request: PermissionRequest) -> None:
            waiting.set()
            await asyncio.sleep(3600)

        session.on_event(print)
        session.on_permission(never)
        prompt = asyncio.create_task(session.prompt("permission"))
        left = session.prompt_stream("after it")
        await anext(left)
        await asyncio.wait_for(waiting.wait(), 5)
    # A prompt that was waiting is told, instead of waiting for ever.
    with pytest.raises(errors.ServerUnreachable, match="closed"):
        await asyncio.wait_for(prompt, 5)
    await left.aclose()
    assert asyncio.all_tasks() == before


async def test_a_callback_can_close_the_client(endpoint: Endpoint) -> None:
    before = asyncio.all_tasks()
    client = await SandboxAgent.connect(endpoint.url, token=endpoint.token)
    session = await client.create_session("mock")
    closed = asyncio.Event()

    async def close(_event: Event) -> None:
        await client.close()
        closed.set()

    session.on_event(close, after=0)
    await asyncio.wait_for(closed.wait(), 5)
    await until(lambda: asyncio.all_tasks() == before)
