"""Callbacks in the background: events, permissions, questions, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    MessageCompleted,
    PermissionRequest,
    PermissionRequested,
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
    async with asyncio.timeout(30):
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
    client._connection.transport.whereabouts.endpoint = Endpoint(url="http://127.0.0.1:1")
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


async def test_an_answer_can_change_what_is_done_and_say_why_not(session: Session) -> None:
    answers = iter(
        (
            lambda request: request.allow(updated_input={"command": "touch mine.txt"}),
            lambda request: request.deny(message="nothing today", actor="ada"),
        )
    )
    session.on_permission(lambda request: next(answers)(request))
    assert "I ran touch mine.txt" in (await session.prompt("permission")).text
    assert "did not allow it: nothing today" in (await session.prompt("permission")).text
    told = [
        event async for event in session.events(after=0) if isinstance(event, PermissionResolved)
    ]
    assert told[0].updated_input == {"command": "touch mine.txt"}
    assert (told[1].message, told[1].scope, told[1].actor) == ("nothing today", "once", "ada")


async def test_a_refusal_can_end_the_turn_and_a_session_can_want_that(client: SandboxAgent) -> None:
    one = await client.create_session("mock")
    one.on_permission(lambda request: request.deny(stop=True))
    assert (await one.prompt("permission")).stop_reason == "cancelled"
    other = await client.create_session("mock", on_reject="stop")
    other.on_permission(lambda request: request.reject())
    assert (await other.prompt("permission")).stop_reason == "cancelled"
    with pytest.raises(errors.OperationNotSupported):
        await client.create_session("mock", on_reject="continue")


async def test_what_the_agent_cannot_be_told_fails_the_callback(session: Session) -> None:
    session.on_permission(lambda request: request.deny(stop=False))
    with pytest.raises(errors.CallbackError) as failed:
        await session.prompt("permission")
    assert isinstance(failed.value.__cause__, errors.OperationNotSupported)


async def test_a_permission_for_the_session_is_not_asked_for_again(session: Session) -> None:
    asked: list[str] = []

    async def allow(request: PermissionRequest) -> None:
        asked.append(request.id)
        assert (await request.allow(scope="session")).scope == "session"

    session.on_permission(allow)
    await session.prompt("permission")
    await session.prompt("permission")
    assert len(asked) == 1


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
    async with asyncio.timeout(30):
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
        async with asyncio.timeout(30):  # the turn may end before the winner hears that it won
            while not answered:
                await asyncio.sleep(0.01)
    assert len(answered) == 1
    kind = (await resolution(session)).option_kind
    assert kind == ("allow_once" if answered == ["first"] else "reject_once")
    assert caplog.text == ""


async def test_a_stream_that_waits_while_nobody_answers_says_so(
    client: SandboxAgent, caplog: pytest.LogCaptureFixture
) -> None:
    session = await client.create_session("mock")

    async def watch() -> None:
        async for _event in session.prompt_stream("permission"):
            pass

    turn = asyncio.create_task(watch())
    async with asyncio.timeout(30):
        while "nobody here answers" not in caplog.text:
            await asyncio.sleep(0.01)
    for request in await session.requests():
        await request.allow_once()
    await turn


async def test_a_stream_that_somebody_answers_says_nothing(
    client: SandboxAgent, caplog: pytest.LogCaptureFixture
) -> None:
    session = await client.create_session("mock")
    async for event in session.prompt_stream("permission"):
        if isinstance(event, PermissionRequested):
            await session.respond(event.request_id, reply="once")
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


async def raises(_request: object) -> None:
    raise ZeroDivisionError("by the callback")


def raises_at_once(_request: object) -> None:
    raise ZeroDivisionError("by the callback")


def exits(_request: object) -> None:
    raise SystemExit(3)


async def is_cancelled(_request: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("callback", "cause"),
    [
        (raises, ZeroDivisionError),
        (raises_at_once, ZeroDivisionError),
        (exits, SystemExit),
        (is_cancelled, asyncio.CancelledError),
        (lambda request: True, TypeError),
        (lambda request: "allow_once", TypeError),
    ],
)
async def test_a_callback_that_fails_refuses_and_its_prompter_is_told(
    session: Session,
    caplog: pytest.LogCaptureFixture,
    callback: Callable[[PermissionRequest], object],
    cause: type[BaseException],
) -> None:
    asked: list[str] = []

    def counting(request: PermissionRequest) -> object:
        asked.append(request.id)
        return callback(request)

    session.on_permission(counting)
    for count in (1, 2):
        with pytest.raises(errors.CallbackError, match="permission") as caught:
            await session.prompt("permission")
        assert isinstance(caught.value.__cause__, cause)
        assert caught.value.details["requestId"] == asked[-1]
        assert len(set(asked)) == len(asked) == count
    assert "the callback failed" in caplog.text
    events = [event async for event in session.events() if isinstance(event, PermissionResolved)]
    assert [event.option_kind for event in events] == ["reject_once"] * 2
    stream = session.prompt_stream("permission")
    while not isinstance(await anext(stream), TurnEnded):
        pass
    with pytest.raises(errors.CallbackError):
        await anext(stream)
    assert await session.prompt("no permission is needed here")


async def test_a_callback_that_fails_after_its_answer_changes_nothing(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    answered: list[str] = []

    async def answer_and_raise(request: PermissionRequest) -> None:
        await request.allow_once()
        answered.append(request.id)
        raise ZeroDivisionError("by the callback")

    session.on_permission(answer_and_raise)
    for _ in range(2):
        # The turn may have ended before the callback raises.
        with contextlib.suppress(errors.CallbackError):
            await session.prompt("permission")
    await until(lambda: caplog.text.count("the callback failed") == 2)
    events = [event async for event in session.events() if isinstance(event, PermissionResolved)]
    assert [event.option_kind for event in events] == ["allow_once"] * 2


async def test_a_question_whose_callback_fails_is_declined(session: Session) -> None:
    session.on_question(raises)
    with pytest.raises(errors.CallbackError, match="question"):
        await session.prompt("question")
    events = [event async for event in session.events() if isinstance(event, QuestionResolved)]
    assert [event.outcome for event in events] == ["declined"]


async def test_an_ordinary_function_can_answer_without_awaiting(session: Session) -> None:
    def answer(request: PermissionRequest) -> None:
        request.allow_once()

    session.on_permission(answer)
    assert "I ran" in (await session.prompt("permission")).text


async def test_an_answer_that_is_a_task_or_was_forgotten_to_await_counts(session: Session) -> None:
    async def forgetful(request: PermissionRequest) -> object:
        return request.allow_once()

    tasks: list[asyncio.Task[Any]] = []
    stop = session.on_permission(forgetful)
    assert "I ran" in (await session.prompt("permission")).text
    stop()
    session.on_permission(lambda request: tasks.append(asyncio.create_task(request.allow_once())))
    assert "I ran" in (await session.prompt("permission")).text
    assert (await tasks[0]).decided_by == "user"


async def test_a_callback_that_returns_nothing_may_answer_later(session: Session) -> None:
    waiting: asyncio.Queue[PermissionRequest] = asyncio.Queue()
    session.on_permission(waiting.put)
    turn = asyncio.create_task(session.prompt("permission"))
    request = await asyncio.wait_for(waiting.get(), 5)
    await request.allow_once()
    assert "I ran" in (await turn).text


async def generates(request: object) -> AsyncIterator[object]:
    yield request


class Callable1:
    async def __call__(self, request: object) -> None: ...


@pytest.mark.parametrize("method", ["on_permission", "on_question", "on_event"])
@pytest.mark.parametrize(
    "callback",
    [
        None,
        7,
        "allow",
        lambda: None,
        lambda first, second: None,
        lambda *, request: None,
        generates,
    ],
)
async def test_what_cannot_be_called_back_is_refused_when_it_is_registered(
    session: Session, method: str, callback: Any
) -> None:
    with pytest.raises(TypeError, match=method):
        getattr(session, method)(callback)


@pytest.mark.parametrize(
    "callback", [[].append, print, Callable1(), partial(print, "asked"), lambda *all: None]
)
async def test_whatever_takes_one_argument_is_a_callback(session: Session, callback: Any) -> None:
    for method in (session.on_permission, session.on_question, session.on_event):
        method(callback)()


async def test_a_callback_for_steps_is_looked_at_too(client: SandboxAgent) -> None:
    with pytest.raises(TypeError, match="report"):
        SandboxAgent.start("local", report=raises)
    with pytest.raises(TypeError, match="on_progress"):
        await client.install_agent("mock", on_progress=lambda: None)  # type: ignore[arg-type, misc]


async def test_a_prompt_that_waits_while_nobody_listens_says_so_once(
    session: Session, other: Session, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        turn = asyncio.create_task(session.prompt("permission"))
        await until(lambda: "nobody here answers" in caplog.text)
        request = await pending(other)
        await request.allow_once()
        await turn
    (record,) = [one for one in caplog.records if "nobody here answers" in one.getMessage()]
    assert record.levelno == logging.WARNING
    for word in (session.id, "permission_policy", "on_permission", "respond", "deny"):
        assert word in record.getMessage()


async def test_a_prompt_that_somebody_listens_to_says_nothing(
    client: SandboxAgent, caplog: pytest.LogCaptureFixture
) -> None:
    answering = await client.create_session("mock")
    answering.on_permission(lambda request: request.allow_once())
    watching = await client.create_session("mock")

    async def watch(event: Event) -> None:
        if isinstance(event, PermissionRequested):
            await watching.respond(event.request_id, reply="once")

    watching.on_event(watch)
    ruled = await client.create_session("mock", permission_policy={"default": "deny"})
    for session in (answering, watching, ruled):
        await session.prompt("permission")
    assert "nobody here answers" not in caplog.text


async def pending(session: Session) -> PermissionRequest | QuestionRequest:
    async with asyncio.timeout(30):
        while not (found := await session.requests()):
            await asyncio.sleep(0.005)
    return found[0]


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
