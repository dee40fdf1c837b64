"""The synchronous twin: the same names, and threads that end."""

from __future__ import annotations

import inspect
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    MemoryTranscriptStore,
    MessageDelta,
    PermissionRequest,
    PermissionRequestSync,
    PermissionResolved,
    PromptResult,
    QuestionRequest,
    QuestionRequestSync,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    SessionSync,
    TurnEnded,
    errors,
)
from sandbox_agent_client._sync._backend import Portal

ROOT = Path(__file__).parents[3]


@pytest.fixture
def client(endpoint: Endpoint, transport: str) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(
        endpoint.url,
        token=endpoint.token,
        transport=transport,  # type: ignore[arg-type]
    ) as client:
        yield client


@pytest.fixture
def session(client: SandboxAgentSync) -> SessionSync:
    return client.create_session("mock")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("of_async", "of_sync"),
    [
        (SandboxAgent, SandboxAgentSync),
        (Session, SessionSync),
        (PermissionRequest, PermissionRequestSync),
        (QuestionRequest, QuestionRequestSync),
    ],
)
def test_both_clients_have_the_same_methods_with_the_same_parameters(
    of_async: type, of_sync: type
) -> None:
    assert signatures(of_async) == signatures(of_sync)


def signatures(cls: type) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            found[name] = "property"
        else:
            parameters = inspect.signature(getattr(cls, name)).parameters.values()
            found[name] = [(one.name, one.kind, repr(one.default)) for one in parameters]
    return found


def test_the_twin_is_what_the_generator_writes() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "unasync.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_asyncio_is_left_in_the_twin() -> None:
    folder = ROOT / "packages/sandbox-agent-client/src/sandbox_agent_client/_sync"
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "_backend.py":
            assert not re.search(r"\b(await|async def|asyncio)\b", text), path.name


def test_a_prompt_and_a_stream(session: SessionSync) -> None:
    assert session.prompt("hello").text == "You said: hello"
    events = list(session.prompt_stream("tool"))
    assert isinstance(events[-1], TurnEnded)
    with pytest.raises(errors.AgentError):
        session.prompt("error")


def test_leaving_a_stream_cancels_the_turn_only_when_asked_to(session: SessionSync) -> None:
    for event in session.prompt_stream("slow 60", cancel_on_exit=True):
        if isinstance(event, MessageDelta):
            break
    for event in session.prompt_stream("stream 10 20"):
        if isinstance(event, MessageDelta):
            break
    ends: list[str] = []
    for event in session.stream(after=0):
        if isinstance(event, TurnEnded):
            ends.append(event.stop_reason)
            if len(ends) == 2:
                break
    assert ends == ["cancelled", "end_turn"]


def test_callbacks_run_in_the_background(session: SessionSync) -> None:
    seen: list[Event] = []
    threads: set[str] = set()

    def note(event: Event) -> None:
        threads.add(threading.current_thread().name)
        seen.append(event)

    stop = session.on_event(note)
    session.on_permission(lambda request: request.allow_once())
    session.on_question(lambda request: request.decline())
    assert "I ran" in session.prompt("permission").text
    session.prompt("question")
    until(lambda: len([event for event in seen if isinstance(event, TurnEnded)]) == 2)
    assert seen == list(session.events(after=seen[0].seq - 1))
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
    stop()
    session.prompt("hello")
    assert len([event for event in seen if isinstance(event, TurnEnded)]) == 2


def test_a_callback_can_unsubscribe_itself_and_close_the_client(
    client: SandboxAgentSync, session: SessionSync
) -> None:
    seen: list[Event] = []

    def once(event: Event) -> None:
        stop()
        client.close()
        seen.append(event)

    stop = session.on_event(once, after=0)
    until(lambda: seen)
    # Nobody waits for the reader, which cannot wait for itself; it ends right after its callback.
    until(lambda: not any(session.id in thread.name for thread in threading.enumerate()))


def test_settings_and_lists(client: SandboxAgentSync, session: SessionSync) -> None:
    assert session.set_mode("plan").mode == "plan"
    assert session.refresh().mode == "plan"
    assert session.id in [one.id for one in client.list_sessions()]
    assert client.get_session(session.id).info.mode == "plan"
    assert "mock" in [agent.id for agent in client.list_agents()]
    assert session.transcript().session_id == session.id
    session.end()
    client.end_session(session.id)
    assert client.resume_session(session.id).prompt("again").text == "You said: again"


def test_closing_ends_a_prompt_that_waits_in_another_thread(endpoint: Endpoint) -> None:
    client = SandboxAgentSync.connect(endpoint.url, token=endpoint.token)
    session = client.create_session("mock")
    failed: list[BaseException] = []

    def prompt() -> None:
        try:
            session.prompt("slow 60")
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=prompt)
    thread.start()
    until(lambda: session.refresh().status == "running")
    session.on_event(print)
    client.close()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(failed[0], errors.ServerUnreachable)


def test_no_stream_is_opened_by_another_thread_while_it_closes(endpoint: Endpoint) -> None:
    client = SandboxAgentSync.connect(endpoint.url, token=endpoint.token)
    session = client.create_session("mock")
    transport = client._connection.transport
    close, stream = transport.close, transport.stream
    told, may_open, opened = threading.Event(), threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def heard_of(seq: int) -> None:
        told.set()
        may_open.wait(30)

    def close_late() -> None:
        # All streams that were there have been interrupted.
        may_open.set()
        until(lambda: opened.is_set() or not thread.is_alive())
        close()

    @contextmanager
    def noticed(*args: Any) -> Iterator[Any]:
        with stream(*args) as batches:
            opened.set()
            yield batches

    def prompt() -> None:
        try:
            session.prompt("slow 60")
        except BaseException as exc:
            failed.append(exc)

    session._turns.heard_of = heard_of
    transport.close, transport.stream = close_late, noticed  # type: ignore[method-assign]
    thread = threading.Thread(target=prompt)
    thread.start()
    assert told.wait(30)
    client.close()
    thread.join(30)
    assert not thread.is_alive()
    assert not opened.is_set()
    assert isinstance(failed[0], errors.ServerUnreachable)


def test_a_sandbox_of_its_own_is_gone_with_all_its_threads() -> None:
    with SandboxAgentSync.start("local", persistence=MemoryTranscriptStore()) as client:
        assert client.sandbox_ref is not None
        url = client.base_url
        session = client.create_session("mock")
        session.on_event(print)
        assert session.prompt("hello").text == "You said: hello"
    with pytest.raises(errors.ServerUnreachable):
        SandboxAgentSync.connect(url)


def test_a_wait_for_a_server_can_be_ended(endpoint: Endpoint) -> None:
    # A server that accepts and never answers, as a machine that is swapping does.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(errors.Timeout):
            SandboxAgentSync.connect(url, timeout=0.2)


def test_a_portal_gives_results_and_errors_and_ends() -> None:
    async def work(value: int) -> int:
        if value < 0:
            raise ValueError(value)
        return value * 2

    portal = Portal()
    assert portal.run(lambda: work(2)) == 4
    with pytest.raises(ValueError, match="-1"):
        portal.run(lambda: work(-1))
    portal.close()
    portal.close()
    assert portal.run(lambda: work(3)) == 6
    portal.close()


def test_an_asynchronous_callback_is_refused_when_it_is_registered(
    client: SandboxAgentSync,
) -> None:
    async def answer(_request: object) -> None: ...

    class Answering:
        async def __call__(self, _request: object) -> None: ...

    session = client.create_session("mock")
    for callback in (answer, Answering(), partial(answer)):
        for method in (session.on_permission, session.on_question, session.on_event):
            with pytest.raises(TypeError, match="SandboxAgent"):
                method(callback)


async def _never(_request: object) -> None: ...


def _raises(_request: object) -> None:
    raise ZeroDivisionError


def _exits(_request: object) -> None:
    raise SystemExit


@pytest.mark.parametrize(
    ("callback", "cause"),
    [
        (_raises, ZeroDivisionError),
        (_exits, SystemExit),
        (lambda _: True, TypeError),
        (lambda it: _never(it), TypeError),
    ],
)
def test_a_callback_that_fails_refuses_and_its_prompter_is_told(
    client: SandboxAgentSync, callback: Any, cause: type[BaseException]
) -> None:
    session = client.create_session("mock")
    session.on_permission(callback)
    for _ in range(2):
        with pytest.raises(errors.CallbackError) as caught:
            session.prompt("permission")
        assert isinstance(caught.value.__cause__, cause)
    kinds = [
        event.option_kind for event in session.events() if isinstance(event, PermissionResolved)
    ]
    assert kinds == ["reject_once"] * 2


def test_a_prompt_that_waits_while_nobody_listens_says_so(
    client: SandboxAgentSync, caplog: pytest.LogCaptureFixture
) -> None:
    session = client.create_session("mock")
    ended: list[PromptResult] = []
    turn = threading.Thread(target=lambda: ended.append(session.prompt("permission")))
    turn.start()
    deadline = time.monotonic() + 5
    while "nobody here answers" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.005)
    for request in session.requests():
        session.respond(request.id, reply="once")
    turn.join(5)
    assert ended
    assert "nobody here answers" in caplog.text
