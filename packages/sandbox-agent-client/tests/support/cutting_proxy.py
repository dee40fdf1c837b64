"""A TCP proxy whose connections can be cut while they are used."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from math import inf
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from support.sockets import connected, serving

__all__ = ["CuttingProxy"]


class CuttingProxy:
    """`async with CuttingProxy(url) as proxy: … proxy.url … proxy.cut()`.

    With `cut_after_bytes` of answers a connection is cut; with `cuts` only so many of them are.
    """

    def __init__(self, target: str, *, cut_after_bytes: float = inf, cuts: float = inf) -> None:
        self.retarget(target)
        self._cut_after_bytes = cut_after_bytes
        self._cuts = cuts
        self._stack = AsyncExitStack()
        self._writers: set[asyncio.StreamWriter] = set()
        self.refuses = False
        self.connections = 0
        self.asked = bytearray()
        """All that went up."""
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

    def retarget(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port

    def cut(self) -> None:
        """Every connection, in the middle of whatever it does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            return
        async with connected(self._host, self._port) as (up_reader, up_writer):
            writers = {writer, up_writer}
            self._writers |= writers
            pumps = [
                asyncio.create_task(self._up(reader, up_writer)),
                asyncio.create_task(self._down(up_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._writers -= writers
                for pump in pumps:
                    pump.cancel()
                await asyncio.wait(pumps)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(4096):
                self.asked += chunk
                writer.write(chunk)
                await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends, or the limit is passed: then the connection is cut."""
        passed = 0
        with suppress(OSError):
            while chunk := await reader.read(4096):
                passed += len(chunk)
                writer.write(chunk)
                await writer.drain()
                if passed > self._cut_after_bytes and self._cuts:
                    self._cuts -= 1
                    return
