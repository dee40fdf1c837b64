"""Server-sent events (WHATWG HTML, 9.2) from a cursor: `id:` is the seq, silence is filled with comments."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from sandbox_agent_server.http.streams import StreamCounter, StreamQuery
from sandbox_agent_server.sessions.encoding import encode_batch
from sandbox_agent_server.sessions.session import Session

__all__ = ["HEADERS", "EventStream", "until_disconnected"]

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies of the nginx family buffer a response unless told not to.
    (b"x-accel-buffering", b"no"),
]
_HEARTBEAT = b": heartbeat\n\n"
_OPEN = b": open\n\n"


class EventStream:
    """An ASGI response. Everything that is due goes out in one write; a slow reader is waited for."""

    def __init__(
        self, session: Session, query: StreamQuery, counter: StreamCounter, *, heartbeat_s: float
    ) -> None:
        self._session = session
        self._query = query
        self._counter = counter
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counter.hold():
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            pump = asyncio.ensure_future(self._pump(send))
            watch = asyncio.ensure_future(until_disconnected(receive))
            try:
                await asyncio.wait({pump, watch}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (pump, watch):
                    task.cancel()
                results = await asyncio.gather(pump, watch, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _pump(self, send: Send) -> None:
        # Headers reach the client at once, not with the first event.
        await send({"type": "http.response.body", "body": _OPEN, "more_body": True})
        session, query = self._session, self._query
        async for batch in session.log.follow(query.after, heartbeat_s=self._heartbeat_s):
            shown = encode_batch(batch, session.id, query.view, deltas=query.deltas)
            parts = [b"id: %d\ndata: %b\n\n" % (entry.seq, line) for entry, line in shown]
            # A batch that shows nothing still moves the cursor, or a reconnect would read it again.
            body = b"".join(parts) or (b"id: %d\n\n" % batch[-1].seq if batch else _HEARTBEAT)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
