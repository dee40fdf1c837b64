"""ACP over Streamable HTTP: one client whose messages go out on several streams, and come in by POST."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from sandbox_agent_core.errors import Conflict

from sandbox_agent_server.acp.remote.client import RemoteClient
from sandbox_agent_server.http.stream import Drain, SendBody
from sandbox_agent_server.limits import Limits

__all__ = ["StreamConnection"]

_COMMENT: Final = b":\n\n"
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]+")


class _Stream:
    """Messages until the reader of the stream takes them. Without a reader they wait, or go elsewhere."""

    def __init__(self, max_bytes: int) -> None:
        self.has_reader = False
        self.reader_came = asyncio.Event()
        self._max_bytes = max_bytes
        self._waiting: deque[bytes] = deque()
        self._size_bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._is_closed = False

    async def put(self, message: bytes) -> None:
        """Raises: ConnectionError."""
        while self._waiting and self._size_bytes + len(message) > self._max_bytes:
            self._emptied.clear()
            await self._emptied.wait()
        self.put_now(message)

    def put_now(self, message: bytes) -> None:
        """However much there is. Raises: ConnectionError."""
        if self._is_closed:
            raise ConnectionError("the client has left")
        self._waiting.append(message)
        self._size_bytes += len(message)
        self._filled.set()

    async def take(self) -> list[bytes] | None:
        """What there is, once there is something; None at the end."""
        while not self._waiting:
            if self._is_closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self.take_all()

    def take_all(self) -> list[bytes]:
        taken = [*self._waiting]
        self._waiting.clear()
        self._size_bytes = 0
        self._emptied.set()
        return taken

    def close(self) -> None:
        self._is_closed = True
        self._filled.set()
        self._emptied.set()
        self.reader_came.set()


class StreamConnection:
    """An `Outlet`. Messages of a session go to the session's stream if it is being read, else to the connection's."""

    def __init__(self, connection_id: str, limits: Limits, on_idle: Callable[[], object]) -> None:
        """`on_idle` is called when nothing has needed the connection for a while."""
        self.id = connection_id
        self.client: RemoteClient | None = None
        self._limits = limits
        self._on_idle = on_idle
        self._common = _Stream(limits.max_acp_buffered_bytes)
        self._of_session: dict[str, _Stream] = {}
        self._expected: dict[str, float] = {}
        """Sessions whose streams may be about to come, and until when that is waited for."""
        self._known: set[str] = set()
        """Sessions that there are: a client may name any."""
        self._on_common: set[str] = set()
        """Sessions that did not have a stream: what they say goes on there until the client asks something of them,
        because two streams have no order."""
        self._uses = 0
        self._idle: asyncio.TimerHandle | None = None
        self._clock = asyncio.get_running_loop().time
        self._is_closed = False

    # Outlet

    async def send(self, session_id: str | None, message: bytes) -> None:
        stream = self._common if session_id is None else await self._stream_of(session_id)
        await stream.put(message)

    async def drain(self) -> None:
        """A stream holds back who fills it."""

    def opened(self, session_id: str) -> None:
        self._known.add(session_id)
        self._expected[session_id] = self._clock() + self._limits.acp_stream_wait_s

    def asks(self, session_id: str) -> None:
        """The client has a request, or an answer, for this session."""
        stream = self._of_session.get(session_id)
        if stream is not None and stream.has_reader:
            self._on_common.discard(session_id)

    async def _stream_of(self, session_id: str) -> _Stream:
        """The session's own, which is waited for as long as it may be on its way; else the connection's."""
        if session_id in self._on_common:
            return self._common
        deadline = self._expected.get(session_id)
        stream = self._of_session.get(session_id)
        if deadline is not None and not (stream is not None and stream.has_reader):
            stream = self._of_session.setdefault(session_id, self._new_stream())
            # No `asyncio.timeout`: this may run in the task of whoever appends to the log.
            timer = asyncio.get_running_loop().call_at(deadline, stream.reader_came.set)
            await stream.reader_came.wait()
            timer.cancel()
        self._expected.pop(session_id, None)
        if stream is not None and stream.has_reader:
            return stream
        if stream is not None:
            stream.reader_came.clear()
        self._stay_on_common(session_id)
        return self._common

    def _stay_on_common(self, session_id: str) -> None:
        if session_id in self._known:
            self._on_common.add(session_id)

    # What reads and writes

    def use(self) -> None:
        """Somebody needs the connection, until `unuse`."""
        self._uses += 1
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def unuse(self) -> None:
        self._uses -= 1
        if not self._uses and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._limits.acp_idle_s, self._on_idle)

    def reader(
        self, session_id: str | None
    ) -> Callable[[SendBody, Drain], Coroutine[Any, Any, None]]:
        """Of a stream, for one reader at a time. Raises: Conflict."""
        known = self._common if session_id is None else self._of_session.get(session_id)
        if known is not None and known.has_reader:
            raise Conflict("this stream is being read already: a connection has one reader of each")

        async def events(send: SendBody, drain: Drain) -> None:
            stream = self._common
            if session_id is not None:
                stream = self._of_session.setdefault(session_id, self._new_stream())
            if stream.has_reader or self._is_closed:
                return  # another came, or the end did, between the check and the answer
            self.use()
            stream.has_reader = True
            stream.reader_came.set()
            try:
                await self._write(stream, send, drain)
            finally:
                stream.has_reader = False
                stream.reader_came.clear()
                self._leave_behind(session_id, stream)
                self.unuse()

        return events

    async def close(self) -> None:
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        if self.client is not None:
            await self.client.close()
        for stream in (self._common, *self._of_session.values()):
            stream.close()

    def _new_stream(self) -> _Stream:
        return _Stream(self._limits.max_acp_buffered_bytes)

    async def _write(self, stream: _Stream, send: SendBody, drain: Drain) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.heartbeat_s):
                    messages = await stream.take()
            except TimeoutError:
                await send(_COMMENT)
                continue
            if messages is None:
                return
            await send(b"".join([b"data: %b\n\n" % _ascii(message) for message in messages]))
            await drain()

    def _leave_behind(self, session_id: str | None, stream: _Stream) -> None:
        """What the reader of a session's stream did not take goes to the connection's."""
        if session_id is None or self._is_closed:
            return
        self._of_session.pop(session_id, None)
        self._stay_on_common(session_id)
        for message in stream.take_all():
            self._common.put_now(message)


def _ascii(message: bytes) -> bytes:
    """The Python client decodes what it reads piece by piece, so a character must not be in two."""
    if message.isascii():
        return message
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], message.decode()).encode()
