"""A reverse proxy as they are met in the wild: it holds streams back, refuses WebSockets, has no patience."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from support.sockets import connected, pump, serving

__all__ = ["HinderingProxy"]

END_OF_HEAD = b"\r\n\r\n"


class HinderingProxy:
    """One request for each connection.

    `holds`: of server-sent events everything until they end, or all but the head. `websockets`: refuse the
    upgrade, drop it without a word, or take it and hold what comes. `idle_s`: cut what brings nothing for so
    long. `request_s`: cut whatever takes longer.
    """

    def __init__(
        self,
        target: str,
        *,
        holds: Literal["everything", "the body", "nothing"] = "nothing",
        websockets: Literal["pass", "refuse", "drop", "hold"] = "pass",
        idle_s: float | None = None,
        request_s: float | None = None,
    ) -> None:
        self._host, self._port = urlsplit(target).hostname, urlsplit(target).port
        self._holds = holds
        self._websockets = websockets
        self._idle_s = idle_s
        self._request_s = request_s
        self._stack = AsyncExitStack()
        self.requests: list[str] = []
        """What was asked: `sse`, `ws`, `poll`, or the method."""
        self.url = ""

    async def __aenter__(self) -> Self:
        self.url = await self._stack.enter_async_context(serving(self._serve))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._request_s):
                await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(END_OF_HEAD)
        kind = _kind_of(head)
        self.requests.append(kind)
        if kind == "ws" and self._websockets in ("refuse", "drop"):
            if self._websockets == "refuse":
                writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno!")
            return
        length = re.search(rb"content-length: (\d+)", head, re.I)
        body = await reader.readexactly(int(length[1])) if length else b""
        async with connected(self._host, self._port) as (up_reader, up_writer):
            if kind != "ws":
                head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
                head = head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
            up_writer.write(head + body)
            forward = asyncio.create_task(pump(reader, up_writer))
            try:
                await self._relay(kind, up_reader, writer)
            finally:
                forward.cancel()
                await asyncio.wait([forward])

    async def _relay(
        self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        is_held = False
        if kind == "sse":
            is_held = self._holds != "nothing"
        elif kind == "ws":
            is_held = self._websockets == "hold"
        held = b""
        if is_held and self._holds != "everything":
            writer.write(await reader.readuntil(END_OF_HEAD))
        while True:
            async with asyncio.timeout(self._idle_s):
                chunk = await reader.read(4096)
            if not chunk:
                break
            if is_held:
                held += chunk
            else:
                writer.write(chunk)
                await writer.drain()
        writer.write(held)


def _kind_of(head: bytes) -> str:
    lower = head.lower()
    if b"upgrade: websocket" in lower:
        return "ws"
    if lower.startswith(b"get") and b"accept: text/event-stream" in lower:
        return "sse"
    line = head.split(b"\r\n", 1)[0].decode()
    return "poll" if "wait=" in line else line.partition(" ")[0]
