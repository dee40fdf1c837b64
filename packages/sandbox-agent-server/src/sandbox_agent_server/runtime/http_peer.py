"""A client for a program's own HTTP server on loopback: JSON requests, and an event stream.

A connection for each request: on loopback that costs nothing, and none is ever stale. An HTTP library
would cost a quarter of a second at its first import, in the middle of starting a session.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import httptools

from sandbox_agent_server import jsonio

__all__ = ["MAX_BODY_BYTES", "HttpPeer", "PeerError", "PeerGone", "PeerStream"]

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Of one answer; a longer one is an error."""
_CHUNK_BYTES: Final = 256 * 1024
_FIRST_ERROR: Final = 400
_SHOWN_CHARS: Final = 500


class PeerGone(Exception):
    """The connection was refused, or ended before the answer did."""


class PeerError(Exception):
    """An answer that says no, or that cannot be read."""

    def __init__(self, status: int, body: bytes) -> None:
        text = body.decode("utf-8", "replace")[:_SHOWN_CHARS]
        super().__init__(f"HTTP {status}: {text}" if text else f"HTTP {status}")
        self.status = status
        self.body = body

    @property
    def message(self) -> str:
        """What the peer itself says, where it says it in one of the usual places."""
        try:
            said = jsonio.loads(self.body)
        except (ValueError, RecursionError):
            return str(self)
        for member in (said, said.get("data") if isinstance(said, dict) else None):
            if isinstance(member, dict) and isinstance(member.get("message"), str):
                return str(member["message"])
        return str(self)


@dataclass(slots=True)
class _Answer:
    """What `httptools` calls back with."""

    body: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    has_headers: bool = False
    is_complete: bool = False

    def on_headers_complete(self) -> None:
        self.has_headers = True

    def on_body(self, body: bytes) -> None:
        self.body.append(body)
        self.size_bytes += len(body)

    def on_message_complete(self) -> None:
        self.is_complete = True

    def take(self) -> bytes:
        body, self.body = b"".join(self.body), []
        return body


class _Exchange:
    """One connection, one request, one answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.answer = _Answer()
        self._parser = httptools.HttpResponseParser(self.answer)

    @property
    def status(self) -> int:
        status: int = self._parser.get_status_code()
        return status

    async def read(self) -> None:
        """Some more of the answer. Raises: PeerGone."""
        try:
            chunk = await self._reader.read(_CHUNK_BYTES)
            if not chunk:
                raise PeerGone("the connection ended in the middle of an answer")
            self._parser.feed_data(chunk)
        except (OSError, httptools.HttpParserError) as exc:
            raise PeerGone(str(exc)) from exc

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):  # it was gone already
            await self._writer.wait_closed()


class PeerStream:
    """The bytes of an answer that does not end; an async iterator. Not asking for more holds the peer back.

    Ends when the peer ends it or is gone. Close it: it holds a connection from the beginning.
    """

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        answer = self._exchange.answer
        while not (chunk := answer.take()):
            if answer.is_complete:
                raise StopAsyncIteration
            try:
                await self._exchange.read()
            except PeerGone:
                raise StopAsyncIteration from None
        return chunk

    async def close(self) -> None:
        await self._exchange.close()


class HttpPeer:
    def __init__(
        self, url: str, *, user: str, password: str, query: Mapping[str, str] | None = None
    ) -> None:
        """`query` goes with every request."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._port = parts.port or 80
        self._query = dict(query or {})
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self._headers = (
            f"host: {parts.netloc}\r\nauthorization: Basic {token}\r\nconnection: close\r\n"
        )

    async def get(self, path: str) -> Any:
        """Raises: PeerError, PeerGone."""
        return await self._call("GET", path, None, {})

    async def post(self, path: str, body: Any = None) -> Any:
        """The answer's JSON; None when it has no body. Raises: PeerError, PeerGone."""
        return await self._call("POST", path, body, {})

    async def call(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Any:
        """As `get` and `post`, with any method; `query` beside that of every request."""
        return await self._call(method, path, body, query or {})

    async def stream(self, path: str) -> PeerStream:
        """Returns once the peer has begun to answer. Raises: PeerError, PeerGone."""
        exchange = await self._send("GET", path, None, {})
        try:
            while not exchange.answer.has_headers:
                await exchange.read()
            if exchange.status >= _FIRST_ERROR:
                raise PeerError(exchange.status, exchange.answer.take())
        except BaseException:
            await exchange.close()
            raise
        return PeerStream(exchange)

    async def _call(self, method: str, path: str, body: Any, query: Mapping[str, str]) -> Any:
        exchange = await self._send(method, path, body, query)
        answer = exchange.answer
        try:
            while not answer.is_complete:
                await exchange.read()
                if answer.size_bytes > MAX_BODY_BYTES:
                    raise PeerError(exchange.status, b"the answer is too long")
        finally:
            await exchange.close()
        content = answer.take()
        if exchange.status >= _FIRST_ERROR:
            raise PeerError(exchange.status, content)
        if not content:
            return None
        try:
            return jsonio.loads(content)
        except (ValueError, RecursionError):
            raise PeerError(exchange.status, content) from None

    async def _send(self, method: str, path: str, body: Any, query: Mapping[str, str]) -> _Exchange:
        content = b"" if body is None else jsonio.dumps(body)
        query = {**query, **self._query}
        target = f"{path}?{urlencode(query)}" if query else path
        head = f"{method} {target} HTTP/1.1\r\n{self._headers}content-length: {len(content)}\r\n"
        if content:
            head += "content-type: application/json\r\n"
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(head.encode("ascii") + b"\r\n" + content)
            await writer.drain()
        except OSError as exc:
            raise PeerGone(str(exc)) from exc
        return _Exchange(reader, writer)
