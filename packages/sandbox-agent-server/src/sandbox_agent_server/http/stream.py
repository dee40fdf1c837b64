"""One streamed answer for all routes, and how a client follows a log through it or through a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.errors import InvalidRequest, LimitReached
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.http.body import query_bool, query_choice, query_int, whole_number
from sandbox_agent_server.log.follower import Follower, at_once
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Batch, Shown

__all__ = [
    "ABORT",
    "BODY_BY_PROGRESS",
    "DRAIN",
    "HEARTBEAT",
    "MAX_SEQ",
    "PIECE_BYTES",
    "SEND_IN_PIECES",
    "Drain",
    "SendBody",
    "SseResponse",
    "StreamCounter",
    "StreamQuery",
    "drain_of",
    "first_of",
    "follow_log",
    "read_stream_query",
    "sse_of_log",
    "until_disconnected",
]

ABORT: Final = "sandbox_agent.abort"
"""In a scope: cuts the connection, when an answer cannot be ended as it was begun."""
BODY_BY_PROGRESS: Final = "sandbox_agent.body_by_progress"
"""In a scope: the body may take as long as it wants, but not be silent for so many seconds."""
DRAIN: Final = "sandbox_agent.drain"
"""In a scope: `Drain` of its connection."""
PIECE_BYTES: Final = 64 * 1024
"""What is larger is handed to the socket in pieces: it is copied for each reader, whether it takes it or not."""
SEND_IN_PIECES: Final = "sandbox_agent.send_in_pieces"
"""In the scope of a WebSocket: sends a large text message; nothing else may be sent meanwhile."""
MAX_SEQ: Final = (1 << 40) - 1

Body = TypeVar("Body")
Drain = Callable[[], Awaitable[None]]
"""Waits until the socket has taken most of what was sent."""
SendBody = Callable[[bytes], Coroutine[Any, Any, None]]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies of the nginx family buffer a response unless told not to.
    (b"x-accel-buffering", b"no"),
]
HEARTBEAT: Final = b": heartbeat\n\n"
_OPEN = b": open\n\n"


class StreamCounter:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.open = 0

    def check(self) -> None:
        """Raises: LimitReached."""
        if self.open >= self._limit:
            raise LimitReached(
                f"{self.open} event streams are open; close some, or share one",
                limit="max_subscribers",
                value=self._limit,
            )

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@dataclass(frozen=True, slots=True)
class StreamQuery:
    after: int
    view: EventView
    deltas: bool
    before: int | None = None
    """Of a page that ends in front of this seq."""


def read_stream_query(request: HTTPConnection) -> StreamQuery:
    """`after` (or `Last-Event-ID`, which a reconnecting browser sends), `before`, `view` and `deltas`.

    Raises:
        InvalidRequest: a value is not what it should be.
    """
    after = query_int(request, "after", default=0, minimum=0, maximum=MAX_SEQ)
    last_id = request.headers.get("last-event-id")
    if last_id:
        seq = whole_number(last_id)
        if seq is None or seq > MAX_SEQ:
            raise InvalidRequest(f"`Last-Event-ID` must be a seq, not {last_id[:64]!r}")
        after = seq
    view = query_choice(request, "view", ("universal", "frames"))
    return StreamQuery(
        after,
        "frames" if view == "frames" else "universal",
        query_bool(request, "deltas", default=True),
        query_int(request, "before", default=0, minimum=1, maximum=MAX_SEQ) or None,
    )


async def follow_log(
    log: SessionLog,
    query: StreamQuery,
    *,
    write: Callable[[Shown, int], Body | None],
    send: Callable[[Body], Coroutine[Any, Any, None]],
    drain: Drain,
    heartbeat: Body,
    heartbeat_s: float,
) -> None:
    """Send a client everything after its cursor, until the log is closed. `write` makes a body of what a batch
    shows and its last seq; it is asked once for all who follow with the same one.
    """

    def render(batch: Batch) -> Body | None:
        return batch.body(query.view, write, deltas=query.deltas)

    await Follower(
        log,
        query.after,
        render=render,
        send=send,
        drain=drain,
        heartbeat=heartbeat,
        heartbeat_s=heartbeat_s,
    ).run()


class SseResponse:
    """An ASGI response of server-sent events (WHATWG HTML, 9.2); a slow reader is waited for.

    Raises LimitReached, before anything is sent, when there are too many.
    """

    def __init__(
        self, events: Callable[[SendBody, Drain], Coroutine[Any, Any, None]], counter: StreamCounter
    ) -> None:
        """`events` sends them, and returns at their end; it is cancelled when the client leaves."""
        self._events = events
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_body(body: bytes) -> None:
            for start in range(0, len(body), PIECE_BYTES):
                piece = body[start : start + PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})

        async def respond() -> None:
            # Headers reach the client at once, not with the first event.
            await send_body(_OPEN)
            await self._events(send_body, drain_of(scope))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        self._counter.check()
        with self._counter.hold():
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await first_of(respond(), until_disconnected(receive))


def sse_of_log(
    log: SessionLog, query: StreamQuery, counter: StreamCounter, *, heartbeat_s: float
) -> SseResponse:
    """`id:` is the seq, silence is filled with comments."""

    async def events(send: SendBody, drain: Drain) -> None:
        await follow_log(
            log,
            query,
            write=_write_sse,
            send=send,
            drain=drain,
            heartbeat=HEARTBEAT,
            heartbeat_s=heartbeat_s,
        )

    return SseResponse(events, counter)


def _write_sse(shown: Shown, last_seq: int) -> bytes:
    if len(shown) == 1:
        return b"id: %d\ndata: %b\n\n" % shown[0]
    # A batch that shows nothing still moves the cursor, or a reconnect would read it again.
    return b"".join([b"id: %d\ndata: %b\n\n" % pair for pair in shown]) or b"id: %d\n\n" % last_seq


def drain_of(scope: Scope) -> Drain:
    """Of the connection; servers that are not ours offer none."""
    drain: Drain = scope.get(DRAIN, at_once)
    return drain


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run them until one has ended, and end the others. Raises what any of them raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
