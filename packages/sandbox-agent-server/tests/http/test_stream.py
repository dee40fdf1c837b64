"""A stream of events in the words of ASGI: open at once, each event with its seq, and gone with its client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asgi_call import http_scope
from real_log import say
from sandbox_agent_core.errors import InvalidRequest, LimitReached
from sandbox_agent_server.http.stream import (
    MAX_SEQ,
    SseResponse,
    StreamCounter,
    StreamQuery,
    first_of,
    read_stream_query,
    sse_of_log,
)
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import SessionLog
from starlette.requests import Request

FRAMES = StreamQuery(0, "frames", deltas=True)


@pytest.fixture
def log(tmp_path: Path) -> Any:
    log = SessionLog("ses_1", tmp_path / "ses_1", quota=Quota(), syncer=Syncer("process"))
    yield log
    log.close()


class Client:
    """What it was sent, and whether it is still there."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.has_left = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> Any:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.body.splitlines() if line.startswith(b"id: ")]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.0005)


@asynccontextmanager
async def streaming(
    log: SessionLog, query: StreamQuery = FRAMES, counter: StreamCounter | None = None, **given: Any
) -> AsyncIterator[tuple[Client, asyncio.Task[None]]]:
    client = Client()
    response = sse_of_log(log, query, counter or StreamCounter(9), **{"heartbeat_s": 60, **given})
    scope = http_scope("GET", "/v1/sessions/ses_1/events/stream")
    task = asyncio.ensure_future(response(scope, client.receive, client.send))
    try:
        await until(lambda: log.has_followers or task.done())
        yield client, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# The response


async def test_headers_and_a_comment_come_before_there_is_any_event(log: SessionLog) -> None:
    async with streaming(log) as (client, _):
        start, first = client.messages
        headers = dict(start["headers"])
        assert start["status"] == 200
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert headers[b"cache-control"] == b"no-cache"
        assert headers[b"x-accel-buffering"] == b"no"
        assert first == {"type": "http.response.body", "body": b": open\n\n", "more_body": True}


async def test_each_event_has_its_seq_as_id_and_is_one_line(log: SessionLog) -> None:
    say(log, "a\nb", "c")
    async with streaming(log) as (client, _):
        say(log, "d")
        assert client.ids == [1, 2, 3]
        _, *events = client.body.split(b"\n\n")[:-1]
        for seq, event in enumerate(events, start=1):
            id, data = event.split(b"\n")
            assert id == b"id: %d" % seq
            assert json.loads(data.removeprefix(b"data: "))["seq"] == seq


async def test_it_goes_on_behind_a_cursor(log: SessionLog) -> None:
    say(log, *"abcd")
    async with streaming(log, StreamQuery(2, "frames", deltas=True)) as (client, _):
        say(log, "e")
        assert client.ids == [3, 4, 5]


async def test_a_batch_that_shows_nothing_moves_the_cursor(log: SessionLog) -> None:
    async with streaming(log, StreamQuery(0, "universal", deltas=False)) as (client, _):
        from log_lines import draft
        from sandbox_agent_server.log.step import Step

        step = Step(log.next_seq, log.now_ms)
        for _ in range(3):
            step.append(draft("client", {"id": 1, "result": {}}))
        log.append(step)
        assert client.body == b": open\n\nid: 3\n\n"


async def test_silence_is_filled_with_comments(log: SessionLog) -> None:
    async with streaming(log, heartbeat_s=0.005) as (client, _):
        await until(lambda: client.body.count(b": heartbeat\n\n") >= 2)
        say(log, "a")
        await until(lambda: client.ids == [1])


async def test_a_client_that_leaves_ends_the_stream_and_gives_its_place_back(
    log: SessionLog,
) -> None:
    counter = StreamCounter(1)
    async with streaming(log, counter=counter) as (client, task):
        assert counter.open == 1
        with pytest.raises(LimitReached):
            counter.check()
        client.has_left.set()
        await asyncio.wait_for(task, 5)
        assert not log.has_followers
        assert counter.open == 0
        counter.check()
        say(log, "a")
        assert client.ids == []


async def test_a_client_that_leaves_while_it_is_waited_for_ends_the_stream_too(
    log: SessionLog,
) -> None:
    async with streaming(log) as (client, task):
        client.reads.clear()
        say(log, "a")
        say(log, "b")
        assert not log.has_followers
        client.has_left.set()
        await asyncio.wait_for(task, 5)


@pytest.mark.fault("a client reads slowly", "it gets everything")
async def test_a_slow_client_is_waited_for_and_gets_everything(log: SessionLog) -> None:
    async with streaming(log) as (client, _):
        client.reads.clear()
        for number in range(50):
            say(log, f"{number}")
        client.reads.set()
        await until(lambda: len(client.ids) == 50)
        assert client.ids == list(range(1, 51))


async def test_a_log_that_is_closed_ends_the_stream_properly(log: SessionLog) -> None:
    counter = StreamCounter(9)
    async with streaming(log, counter=counter) as (client, task):
        say(log, "a")
        log.close()
        await asyncio.wait_for(task, 5)
        assert client.ids == [1]
        assert client.messages[-1] == {
            "type": "http.response.body",
            "body": b"",
            "more_body": False,
        }
    assert counter.open == 0


async def test_head_of_a_stream_ends_at_once_and_takes_no_place(log: SessionLog) -> None:
    say(log, "a")
    counter, client = StreamCounter(1), Client()
    with counter.hold():
        response = sse_of_log(log, FRAMES, counter, heartbeat_s=60)
        await response(http_scope("HEAD", "/"), client.receive, client.send)
    start, end = client.messages
    assert dict(start["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert end == {"type": "http.response.body", "body": b""}


async def test_one_stream_too_many_is_refused_before_anything_is_sent(log: SessionLog) -> None:
    counter, client = StreamCounter(1), Client()
    response = sse_of_log(log, FRAMES, counter, heartbeat_s=60)
    with counter.hold(), pytest.raises(LimitReached):
        await response(http_scope("GET", "/"), client.receive, client.send)
    assert client.messages == []


async def test_what_fails_within_a_stream_is_raised_and_gives_its_place_back() -> None:
    async def events(_send: Any, _drain: Any) -> None:
        raise RuntimeError("a bug")

    counter, client = StreamCounter(9), Client()
    with pytest.raises(RuntimeError, match="a bug"):
        await SseResponse(events, counter)(http_scope("GET", "/"), client.receive, client.send)
    assert counter.open == 0


# The query


def query_of(query: bytes = b"", **headers: str) -> StreamQuery:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_stream_query(Request(http_scope("GET", "/", names, query=query)))


def test_without_a_query_everything_is_streamed_as_events_with_deltas() -> None:
    assert query_of() == StreamQuery(0, "universal", deltas=True)
    assert query_of(b"after=7&view=frames&deltas=false") == StreamQuery(7, "frames", deltas=False)


def test_the_last_event_id_of_a_browser_that_comes_back_counts_more_than_its_address() -> None:
    assert query_of(b"after=3", last_event_id="9").after == 9
    assert query_of(b"after=3", last_event_id="").after == 3
    assert query_of(last_event_id=str(MAX_SEQ)).after == MAX_SEQ


@pytest.mark.parametrize("id", ["x", "-1", "1.5", "1 2", "\u00b2", str(MAX_SEQ + 1), "9" * 5000])
def test_a_last_event_id_that_is_no_seq_is_refused(id: str) -> None:
    with pytest.raises(InvalidRequest):
        query_of(last_event_id=id)


@pytest.mark.parametrize(
    "query",
    [
        b"after=-1",
        b"after=x",
        b"after=" + b"9" * 5000,
        b"after=%d" % (MAX_SEQ + 1),
        b"view=other",
        b"deltas=maybe",
    ],
)
def test_a_query_that_means_nothing_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequest):
        query_of(query)


# The first of several


async def test_the_first_that_ends_ends_the_others_and_waits_until_they_are_gone() -> None:
    told: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            told.append("cleaned up")

    async def ends() -> None:
        await asyncio.sleep(0)

    await asyncio.wait_for(first_of(waits(), ends()), 5)
    assert told == ["cleaned up"]

    task = asyncio.ensure_future(first_of(waits(), waits()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert told == ["cleaned up"] * 3
