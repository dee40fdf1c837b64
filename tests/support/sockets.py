"""Sockets of a test's own: what they give, and servers of which no connection is left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["connected", "pump", "read_until", "serving"]

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def read_until(connection: socket.socket, *marks: bytes, begun: bytes = b"") -> bytes:
    """`begun`, and what comes until one of the marks is in it, with what came in the same piece."""
    said = begun
    while not any(mark in said for mark in marks):
        piece = connection.recv(65536)
        assert piece, said[-1000:]
        said += piece
    return said


@asynccontextmanager
async def serving(handle: Handle, *, path: Path | None = None) -> AsyncIterator[str]:
    """The URL of a server on loopback, or on the socket at `path`, whose connections `handle` has.

    A connection is closed when `handle` returns. That one goes away is no error, all else that it raises is
    one at the end.
    """
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await handle(reader, writer)
        # Not an abort: a reset would also throw away what has arrived.
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.append(asyncio.create_task(serve(reader, writer)))

    if path is not None:
        server = await asyncio.start_unix_server(accept, path)
        url = f"unix://{path}"
    else:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield url
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for writer in writers:
            await _end(writer)
        for task in tasks:
            if not task.cancelled():
                task.result()


@asynccontextmanager
async def connected(
    host: str | None = None, port: int | None = None, *, path: Path | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a port or to the socket at `path`, cut at the end."""
    if path is not None:
        reader, writer = await asyncio.open_unix_connection(path)
    else:
        reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        await _end(writer)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side ends."""
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
