"""HTTP to a port of the sandbox, and back: nothing is gathered on either way, so that streams are streams.

A connection for each request: on loopback that costs little, and none is ever stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import httptools
from sandbox_agent_core.errors import LimitReached, PortUnreachable, Timeout
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.http.port_connection import connect_loopback
from sandbox_agent_server.http.port_headers import (
    Header,
    request_headers,
    response_headers,
    seen_prefix,
    target_of,
)
from sandbox_agent_server.http.stream import (
    ABORT,
    BODY_BY_PROGRESS,
    drain_of,
    first_of,
    until_disconnected,
)
from sandbox_agent_server.limits import HostLimits

__all__ = ["PortProxy"]

_READ_BYTES: Final = 256 * 1024
_FIRST_FINAL: Final = 200
"""Statuses below announce another answer."""
_NO_CONTENT: Final = (204, 304)


class PortProxy:
    """Bounded in the number of requests and WebSockets that are open at a time."""

    def __init__(self, limits: HostLimits) -> None:
        self.limits = limits
        self.open = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Raises: LimitReached."""
        limit = self.limits.max_port_connections
        if self.open >= limit:
            raise LimitReached(
                f"{self.open} requests to ports are open; end some, or try again",
                limit="max_port_connections",
                value=limit,
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def forward(
        self, scope: Scope, receive: Receive, send: Send, *, port: int, cookie: Header | None
    ) -> None:
        """Answer a request as the port does. `cookie` is set beside those of the application.

        Raises, before anything is sent:
            LimitReached, PortUnreachable, Timeout.
        """
        with self.hold():
            # An upload may last, as long as it goes on.
            scope.get(BODY_BY_PROGRESS, _nothing)(self.limits.upload_stall_s)
            sock = await connect_loopback(port, timeout_s=self.limits.port_connect_timeout_s)
            reader, writer = await asyncio.open_connection(sock=sock, limit=_READ_BYTES)
            try:
                exchange = _Exchange(
                    scope, receive, send, port=port, cookie=cookie, reader=reader, writer=writer
                )
                await exchange.run(answer_timeout_s=self.limits.port_answer_timeout_s)
            finally:
                writer.transport.abort()


class _Answer:
    """What `httptools` calls back with."""

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.parts: list[bytes] = []
        self.has_headers = False
        self.is_complete = False

    def on_message_begin(self) -> None:
        self.headers, self.has_headers, self.is_complete = [], False, False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_headers = True

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True

    @property
    def ends_with_connection(self) -> bool:
        return not any(
            name in (b"content-length", b"transfer-encoding") for name, _ in self.headers
        )

    def take(self) -> bytes:
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts = []
        return body


class _Exchange:
    """One request and its answer, both under way at the same time."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        port: int,
        cookie: Header | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._port = port
        self._cookie = cookie
        self._reader = reader
        self._writer = writer
        self._answer = _Answer()
        self._parser = httptools.HttpResponseParser(self._answer)
        self._is_begun = False
        self._is_late = False
        self._patience: asyncio.TimerHandle | None = None

    async def run(self, *, answer_timeout_s: float) -> None:
        headers = request_headers(self._scope, self._port)
        is_chunked = (b"transfer-encoding", b"chunked") in headers
        lines = [
            b"%b %b HTTP/1.1"
            % (self._scope["method"].encode(), target_of(self._scope, self._port)),
            *(b"%b: %b" % pair for pair in headers),
            b"connection: close\r\n\r\n",
        ]
        self._writer.write(b"\r\n".join(lines))
        try:
            await first_of(
                self._read_answer(), self._read_client(answer_timeout_s, is_chunked=is_chunked)
            )
        finally:
            if self._patience is not None:
                self._patience.cancel()

    # From the client

    async def _read_client(self, answer_timeout_s: float, *, is_chunked: bool) -> None:
        """Its body, and then until it leaves: whoever asked is gone, and nobody wants the answer."""
        if not await self._pass_body(is_chunked=is_chunked):
            return
        if not self._is_begun:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(answer_timeout_s, self._on_late)
        await until_disconnected(self._receive)

    async def _pass_body(self, *, is_chunked: bool) -> bool:
        """False: the client left before it was whole."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            part, more = message.get("body", b""), message.get("more_body", False)
            if part:
                self._writer.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
                # A program that has answered may read no further, and still wants to be heard.
                with suppress(OSError):
                    await self._writer.drain()
        if is_chunked:
            self._writer.write(b"0\r\n\r\n")
        return True

    def _on_late(self) -> None:
        self._is_late = True
        self._writer.transport.abort()

    # From the port

    async def _read_answer(self) -> None:
        try:
            await self._pass_answer()
        except (OSError, httptools.HttpParserError) as exc:
            if self._is_begun:
                # The client must not take what it has for whole.
                self._scope[ABORT]()
                return
            raise self._no_answer(str(exc)) from exc

    async def _pass_answer(self) -> None:
        answer, drain = self._answer, drain_of(self._scope)
        while not self._is_whole:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                if self._is_begun and answer.ends_with_connection:
                    break
                raise ConnectionError("it ended the connection")
            self._parser.feed_data(data)
            if answer.has_headers and not self._is_begun and self._status >= _FIRST_FINAL:
                await self._begin()
            if self._is_begun and answer.parts and not self._is_head:
                body = answer.take()
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
                await drain()
        await self._send({"type": "http.response.body", "body": b""})

    @property
    def _status(self) -> int:
        status: int = self._parser.get_status_code()
        return status

    @property
    def _is_head(self) -> bool:
        return bool(self._scope["method"] == "HEAD")

    @property
    def _is_whole(self) -> bool:
        return self._is_begun and (self._is_head or self._answer.is_complete)

    async def _begin(self) -> None:
        self._is_begun = True
        if self._patience is not None:
            self._patience.cancel()
        prefix = seen_prefix(self._scope, self._port)
        headers = response_headers(self._answer.headers, port=self._port, prefix=prefix)
        if self._status in _NO_CONTENT:
            # uvicorn would wait for what it announces.
            headers = [pair for pair in headers if pair[0] != b"content-length"]
        if self._cookie is not None:
            headers.append(self._cookie)
        await self._send(
            {"type": "http.response.start", "status": self._status, "headers": headers}
        )

    def _no_answer(self, why: str) -> PortUnreachable | Timeout:
        if self._is_late:
            return Timeout(
                f"the program on port {self._port} of the sandbox has not answered in time",
                port=self._port,
            )
        return PortUnreachable(
            f"the program on port {self._port} of the sandbox gave no HTTP answer ({why}): does it speak HTTP?",
            port=self._port,
        )


def _nothing(_stall_s: float) -> None:
    """Servers that are not ours bound a body in their own way."""
