"""Networks that hold streams back: the client finds a way, says so once, and remembers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hindering_proxy import HinderingProxy
from sandbox_agent_client import Endpoint, Event, SandboxAgent, SandboxAgentSync, errors
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._remarks import Remarks
from sandbox_agent_client._stream_choice import Attempt, StreamChoice
from support.server import ServerProcess

HEARTBEAT_S = 0.4
SILENT = errors.ServerUnreachable("silent", silentS=1)
CUT = errors.ServerUnreachable("cut")


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose heartbeats come quickly, so that silence is noticed quickly."""
    beat = ["--limit", f"heartbeat_s={HEARTBEAT_S}"]
    server = ServerProcess(tmp_path_factory.mktemp("lively"), arguments=beat).start()
    yield server
    server.stop()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("sandbox_agent_client")
    ]


@pytest.mark.parametrize(
    ("hindrance", "found"),
    [
        ({"holds": "everything"}, ["ws"]),
        ({"holds": "the body"}, ["ws"]),
        ({"holds": "everything", "websockets": "refuse"}, ["ws", "poll"]),
        ({"holds": "the body", "websockets": "drop"}, ["ws", "poll"]),
        ({"holds": "the body", "websockets": "hold"}, ["ws", "poll"]),
        ({"holds": "everything", "websockets": "refuse", "request_s": 1.5}, ["ws", "poll"]),
        ({"holds": "the body", "websockets": "drop", "idle_s": 1.5}, ["ws", "poll"]),
    ],
    ids=lambda value: "-".join(map(str, value.values() if isinstance(value, dict) else value)),
)
async def test_a_stream_that_is_held_back_gives_way_to_another_kind(
    lively: ServerProcess,
    hindrance: dict[str, Any],
    found: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        HinderingProxy(lively.url, **hindrance) as proxy,
        SandboxAgent.connect(proxy.url, token=lively.token) as client,
    ):
        session = await client.create_session("mock")
        async with asyncio.timeout(20):
            for text in ("one", "two", "three"):
                assert (await session.prompt(text)).text == f"You said: {text}"
        assert client._connection.transport.choice.kind == found[-1]
        said = warnings(caplog)
        assert len(said) == len(found)
        for kind, warning in zip(found, said, strict=True):
            assert f"transport={kind!r}" in warning

        # What works is remembered for all of the client.
        caplog.clear()
        proxy.requests.clear()
        other = await client.create_session("mock")
        async with asyncio.timeout(20):
            events = [event async for event in other.prompt_stream("stream 30 5")]
        assert events[-1].type == "turn.ended"
        history = [event.seq async for event in other.events(after=events[0].seq - 1)]
        assert [event.seq for event in events] == history
        assert "sse" not in proxy.requests
        assert warnings(caplog) == []


@pytest.mark.parametrize("holds", ["everything", "the body"])
def test_the_twin_finds_a_way_too_and_leaves_no_thread(lively: ServerProcess, holds: Any) -> None:
    """Also while the page that a background reader waits for does not come."""
    with asyncio.Runner() as runner:
        # The proxy needs a loop that runs beside the synchronous client.
        proxy = HinderingProxy(lively.url, holds=holds, websockets="refuse")

        async def work() -> None:
            async with proxy:
                await asyncio.to_thread(sync_work, proxy.url)

        def sync_work(url: str) -> None:
            with SandboxAgentSync.connect(url, token=lively.token) as client:
                session = client.create_session("mock")
                seen: list[Event] = []
                session.on_event(seen.append, after=0)
                assert session.prompt("hello").text == "You said: hello"
                events = list(session.prompt_stream("again"))
                assert events[-1].type == "turn.ended"

        runner.run(asyncio.wait_for(work(), 30))


async def test_a_stream_that_was_asked_for_is_kept_and_its_turn_ends_all_the_same(
    lively: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        HinderingProxy(lively.url, holds="everything") as proxy,
        SandboxAgent.connect(proxy.url, token=lively.token, transport="sse") as client,
    ):
        session = await client.create_session("mock")
        async with asyncio.timeout(20):
            for text in ("one", "two"):
                assert (await session.prompt(text)).text == f"You said: {text}"
        assert "ws" not in proxy.requests
        (said,) = warnings(caplog)
        assert 'transport="auto"' in said


async def test_connections_that_are_cut_when_they_are_idle_are_no_reason_to_change(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The heartbeats of this server are rarer than the patience of the proxy."""
    async with (
        HinderingProxy(endpoint.url, idle_s=0.5) as proxy,
        SandboxAgent.connect(proxy.url, token=endpoint.token) as client,
    ):
        session = await client.create_session("mock")
        turn = asyncio.create_task(session.prompt("wait"))
        async with asyncio.timeout(20):
            while proxy.requests.count("sse") < 4:
                await asyncio.sleep(0.01)
            await session.steer("go on")
            assert (await turn).stop_reason == "end_turn"
        assert client._connection.transport.choice.kind == "sse"
        assert warnings(caplog) == []


async def test_a_provider_that_knows_its_network_says_what_to_begin_with(
    lively: ServerProcess,
) -> None:
    known = Endpoint(url=lively.url, token=lively.token, stream_kind="ws")
    assert Transport(known).choice.kind == "ws"
    assert Transport(known, stream_kind="sse").choice.kind == "sse"


async def test_a_transport_that_there_is_not_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match=r"'websocket'.*'auto', 'sse', 'ws', 'poll'"):
        await SandboxAgent.connect("http://127.0.0.1:1", transport="websocket")  # type: ignore[arg-type]


# -- the decision


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def failed(
    choice: StreamChoice, attempt: Attempt, *, silent: bool = False, missed: bool = False
) -> bool:
    return choice.failed(attempt, SILENT if silent else CUT, is_silent=silent, has_missed=missed)


def test_a_silent_connection_is_enough_and_one_that_was_refused_is_not() -> None:
    choice = StreamChoice()
    assert failed(choice, Attempt("sse"), silent=True)
    assert choice.kind == "ws"
    assert not failed(choice, Attempt("ws"))
    assert failed(choice, Attempt("ws"))
    assert choice.kind == "poll"
    for _ in range(5):
        assert not failed(choice, Attempt("poll"), silent=True)
    assert choice.kind == "poll"


def test_streams_that_fail_at_the_same_time_change_it_once() -> None:
    choice = StreamChoice()
    attempts = [Attempt("sse"), Attempt("sse"), Attempt("sse")]
    assert [failed(choice, one, silent=True) for one in attempts] == [True, True, True]
    assert choice.kind == "ws"


def test_a_connection_that_has_worked_may_fall_silent_once() -> None:
    clock = Clock()
    choice = StreamChoice()
    for _ in range(4):
        attempt = Attempt("sse", clock=clock)
        attempt.heard()
        clock.now += 5
        choice.worked(attempt, heartbeat_s=10)
        assert not failed(choice, attempt, silent=True)
    collecting = Attempt("sse", clock=clock)
    collecting.heard()  # what was collected so far, and nothing after it
    choice.worked(collecting, heartbeat_s=10)
    assert failed(choice, collecting, silent=True)


def test_a_websocket_that_opens_and_is_cut_is_not_held_back_unless_it_missed_something() -> None:
    choice = StreamChoice(first="ws")
    for _ in range(3):
        attempt = Attempt("ws")
        attempt.opened()
        assert not failed(choice, attempt)
    assert not failed(choice, attempt, missed=True)
    assert failed(choice, attempt, missed=True)


def test_what_was_asked_for_is_kept_and_said_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    choice = StreamChoice("ws", clock=clock)
    for _ in range(10):
        assert not failed(choice, Attempt("ws"), silent=True)
        clock.now += 10
    assert choice.kind == "ws"
    assert len(warnings(caplog)) == 2


def test_a_page_is_waited_for_no_longer_than_whatever_is_in_between_allows() -> None:
    choice = StreamChoice("poll")
    waits = []
    for _ in range(8):
        waits.append(choice.poll_s)
        choice.poll_was_cut()
    assert waits[:3] == [20, 10, 5]
    assert waits[-1] == 1


# -- what is said meanwhile


def test_a_turn_in_which_nothing_happens_is_remarked_on_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    awaited = Remarks("session s", is_awaited=True, clock=clock)
    other = Remarks("session t", is_awaited=False, clock=clock)
    for _ in range(100):
        clock.now += 10
        awaited.beat()
        other.beat()
    assert len(warnings(caplog)) == 3
    assert "nothing has happened in it for 900 s" in warnings(caplog)[-1]
    awaited.brought()
    clock.now += 10
    awaited.beat()
    assert len(warnings(caplog)) == 3


def test_a_connection_that_comes_back_at_once_is_no_warning_and_one_that_stays_away_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    remarks = Remarks("session s", is_awaited=False, clock=clock)
    for _ in range(5):
        remarks.failed("cut")
        clock.now += 0.5
        remarks.beat()
    assert warnings(caplog) == []
    for _ in range(120):
        remarks.failed("refused")
        clock.now += 0.5
    assert len(warnings(caplog)) == 2
    assert "refused" in warnings(caplog)[0]
