"""A TCP proxy whose connections can be cut while they are used."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["CuttingProxy"]


class CuttingProxy:
    """`async with CuttingProxy(url) as proxy: … proxy.url … proxy.cut()`."""

    def __init__(self, target: str, *, cut_after_bytes: int | None = None) -> None:
        self.retarget(target)
        self._cut_after_bytes = cut_after_bytes
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refuses = False
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def retarget(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port

    def cut(self) -> None:
        """Every connection, in the middle of whatever it does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if not self.refuses:
                with suppress(OSError):  # nothing listens there now
                    await self._relay(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        writers = {writer, up_writer}
        self._writers |= writers
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer)),
            asyncio.create_task(self._pump(up_reader, writer, self._cut_after_bytes)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= writers
            up_writer.transport.abort()
            # Not an abort: a reset would also throw away what has arrived, and nobody would get on.
            writer.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int | None = None,
    ) -> None:
        """Until one side ends, or the limit is passed: then the connection is cut."""
        passed = 0
        with suppress(OSError):
            while chunk := await reader.read(4096):
                passed += len(chunk)
                writer.write(chunk)
                await writer.drain()
                if limit is not None and passed > limit:
                    return
