"""The reading end of a process's stdout: pulled, so that nobody asking holds the process back."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from sandbox_agent_server.runtime.lines import LineSplitter
from sandbox_agent_server.runtime.pipes import bytes_in
from sandbox_agent_server.runtime.process import Process

__all__ = ["Batches", "PipeReader"]

_READ_BYTES = 256 * 1024


class PipeReader:
    """Lines in batches, up to the end of the process: a grandchild may hold the pipe open for ever.

    The kernel's buffer is the only queue: memory stays at one batch and one unfinished line.
    """

    def __init__(self, process: Process, *, max_line_bytes: int) -> None:
        self._pipe = process.stdout
        self._exited = process.exited
        self._splitter = LineSplitter(max_line_bytes)
        self._loop = asyncio.get_running_loop()
        self._wakeup: asyncio.Future[None] | None = None
        self._is_watched = False
        self._has_waited = False
        # What the pipe held when the process had ended; more can only come from somebody else.
        self._leftover_bytes: int | None = None
        # Taken out of the pipe by `close`, for a reader that is not done yet.
        self._rest: bytes | None = None
        self._is_at_end = False
        self._exited.add_done_callback(lambda _exited: self._wake())

    async def next_batch(self) -> list[bytes]:
        """The next whole lines; none at the end. A cancelled call loses nothing."""
        # Others get their turn even when the pipe is never empty. Before the read, because what is
        # read must not be lost to a cancellation; not after a wait, which was a turn for others.
        if not self._has_waited:
            await asyncio.sleep(0)
        self._has_waited = False
        while not self._is_at_end:
            data = self._read()
            if data is None:
                await self._until_readable()
                self._has_waited = True
            elif data:
                if lines := self._splitter.feed(data):
                    self._has_waited = False
                    return lines
                await asyncio.sleep(0)
            else:
                self._is_at_end = True
                return self._splitter.flush()
        return []

    def close(self) -> None:
        """Let go of the pipe. What it holds can still be read."""
        if self._pipe.closed:
            return
        descriptor = self._pipe.fileno()
        size = bytes_in(descriptor) if self._leftover_bytes is None else self._leftover_bytes
        rest = bytearray()
        with suppress(BlockingIOError):
            while len(rest) < size and (data := os.read(descriptor, size - len(rest))):
                rest += data
        self._rest = bytes(rest)
        self._unwatch()
        self._pipe.close()
        self._wake()

    def _read(self) -> bytes | None:
        """What the pipe holds, b"" at its end, None when it is empty for now."""
        if self._rest is not None:
            data, self._rest = self._rest, b""
            return data
        descriptor = self._pipe.fileno()
        if not self._exited.done():
            return _read_some(descriptor, _READ_BYTES)
        if self._leftover_bytes is None:
            self._leftover_bytes = bytes_in(descriptor)
        data = _read_some(descriptor, min(_READ_BYTES, self._leftover_bytes)) or b""
        self._leftover_bytes -= len(data)
        return data

    async def _until_readable(self) -> None:
        self._wakeup = self._loop.create_future()
        # The watch stays from one wait to the next: two system calls less for each line of a slow agent.
        if not self._is_watched:
            self._loop.add_reader(self._pipe.fileno(), self._wake)
            self._is_watched = True
        try:
            await self._wakeup
        finally:
            self._wakeup = None

    def _wake(self) -> None:
        if self._wakeup is None:
            # There is something to read and nobody asks: stop looking, or the loop would spin.
            self._unwatch()
        elif not self._wakeup.done():
            self._wakeup.set_result(None)

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._pipe.fileno())


class Batches:
    """`async for` over `next_batch`. Not a generator: one left half-way would need the loop to close it."""

    __slots__ = ("_reader",)

    def __init__(self, reader: PipeReader) -> None:
        self._reader = reader

    def __aiter__(self) -> Batches:
        return self

    async def __anext__(self) -> list[bytes]:
        batch = await self._reader.next_batch()
        if not batch:
            raise StopAsyncIteration
        return batch


def _read_some(descriptor: int, size: int) -> bytes | None:
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None
