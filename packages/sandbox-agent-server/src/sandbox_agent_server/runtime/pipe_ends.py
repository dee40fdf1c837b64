"""Our ends of a process's pipes, or of its terminal: read by the event loop and pushed on, written in order."""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import os
import sys
import termios
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Final

__all__ = ["MAX_UNSENT_BYTES", "PipeReader", "PipeWriter"]

MAX_UNSENT_BYTES: Final = 64 * 1024 * 1024
"""What may wait for a process that does not read."""
_READ_BYTES: Final = 64 * 1024
_WORTH_ANOTHER_BYTES: Final = 256
"""What somebody typed is less."""


class PipeReader:
    """Pushes what is in a pipe, up to the end of the process: a grandchild may hold the pipe open for ever.

    The kernel's buffer is the only queue: who pauses holds the process back.
    """

    def __init__(
        self,
        pipe: IO[bytes],
        exited: asyncio.Future[Any],
        *,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        gathers: bool = False,
    ) -> None:
        """`on_end` comes once, after the last data: when the pipe or the process has ended, or at `close`. `gathers`:
        a terminal gives no more than 4 KiB at a time, so what is there is read in several steps and told in one.
        """
        self._pipe = pipe
        self._read_now = _gathered if gathers else _read_once
        self._descriptor = pipe.fileno()
        self._on_data = on_data
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self._is_closing = False
        # What the pipe held when the process had ended; more can only come from somebody else.
        self._left_bytes: int | None = None
        self._loop.add_reader(pipe.fileno(), self._on_readable)
        exited.add_done_callback(lambda _exited: self._on_exited())

    def pause(self) -> None:
        """Nothing more comes, until `resume` or `close`."""
        if not (self._is_paused or self._is_closing or self._pipe.closed):
            self._is_paused = True
            self._loop.remove_reader(self._pipe.fileno())

    def resume(self) -> None:
        """Nothing comes before this returns."""
        if not self._is_paused:
            return
        self._is_paused = False
        if self._left_bytes is None:
            self._loop.add_reader(self._pipe.fileno(), self._on_readable)
        else:
            # Not by the pipe: one that is empty and held open by a grandchild never becomes readable.
            self._loop.call_soon(self._drain)

    def close(self) -> None:
        """Push what the pipe holds, paused or not, and let go of it."""
        if self._pipe.closed or self._is_closing:
            return
        self._is_closing = True
        self._is_paused = False
        if self._left_bytes is None:
            self._left_bytes = _bytes_in(self._pipe)
        self._drain()

    def _on_readable(self) -> None:
        # Each line of an agent comes this way: no step is taken that is not needed.
        try:
            data = self._read_now(self._descriptor)
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.EIO:
                raise
            data = b""  # what a terminal says when nobody is on its other side any more
        if data:
            self._on_data(data)
        else:
            self._end()

    def _on_exited(self) -> None:
        if not self._pipe.closed and self._left_bytes is None:
            self._left_bytes = _bytes_in(self._pipe)
            self._loop.remove_reader(self._pipe.fileno())
            self._drain()

    def _drain(self) -> None:
        while not self._is_paused and not self._pipe.closed:
            data = _read(self._pipe, min(_READ_BYTES, self._left_bytes or 0))
            if data:
                self._left_bytes = (self._left_bytes or 0) - len(data)
                self._on_data(data)
            else:
                self._end()

    def _end(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
        self._on_end()


class PipeWriter:
    """Writes at once when the pipe has room, else from the event loop when it has: no task to look after."""

    def __init__(
        self,
        pipe: IO[bytes],
        *,
        on_overflow: Callable[[], None],
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
    ) -> None:
        """`on_overflow` is told once that data was refused: too much is unsent, and nothing more is taken."""
        self._pipe = pipe
        self._on_overflow = on_overflow
        self._max_unsent = max_unsent_bytes
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._is_last = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_closed(self) -> bool:
        return self._pipe.closed or self._is_last

    async def has_room(self, size: int, *, in_all: int) -> None:
        """Wait until `size` bytes more are no more than `in_all` unsent ones, or the pipe is closed."""
        while self._unsent_bytes and self._unsent_bytes + size > in_all:
            waits = self._loop.create_future()
            self._waiting.append(waits)
            await waits

    def end(self) -> None:
        """Close the pipe when all is written; nothing more is taken."""
        self._is_last = True
        if not self._unsent:
            self.close()

    def write(self, data: bytes) -> None:
        """Take `data` for writing, in order. A closed or broken pipe swallows it."""
        if self.is_closed:
            return
        if self._unsent_bytes + len(data) > self._max_unsent:
            self.close()
            self._on_overflow()
            return
        was_idle = not self._unsent
        self._unsent.append(memoryview(data))
        self._unsent_bytes += len(data)
        if was_idle:
            self._flush()
            if self._unsent:
                self._loop.add_writer(self._pipe.fileno(), self._flush)

    def close(self) -> None:
        """Close the pipe: the reader sees its end. What is unsent is dropped: the reader did not want it."""
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
            self._unsent.clear()
            self._unsent_bytes = 0
            self._pipe.close()
            self._tell_of_room()

    def _tell_of_room(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waits in waiting:
            if not waits.done():
                waits.set_result(None)

    def _flush(self) -> None:
        descriptor = self._pipe.fileno()
        try:
            while self._unsent:
                head = self._unsent[0]
                written = os.write(descriptor, head)
                self._unsent_bytes -= written
                if written < len(head):
                    self._unsent[0] = head[written:]
                else:
                    self._unsent.popleft()
            self._loop.remove_writer(descriptor)
            if self._is_last:
                self.close()
        except BlockingIOError:
            pass
        except OSError:
            # The process is gone, which the reading side tells.
            self.close()
        if self._waiting:
            self._tell_of_room()


def _read(pipe: IO[bytes], size: int) -> bytes | None:
    """None when there is nothing for now, b"" at the end."""
    try:
        return os.read(pipe.fileno(), size)
    except BlockingIOError:
        return None
    except OSError as exc:
        # What a terminal says when nobody is on its other side any more.
        if exc.errno == errno.EIO:
            return b""
        raise


def _bytes_in(pipe: IO[bytes]) -> int:
    """How much the pipe holds now."""
    if pipe.isatty():
        # It does not tell all that is on its way. But with the process its whole session has lost the
        # terminal: what can be read now is all there will be.
        return sys.maxsize
    answer = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, answer)
    return answer[0]


def _read_once(descriptor: int) -> bytes:
    return os.read(descriptor, _READ_BYTES)


def _gathered(descriptor: int) -> bytes:
    """What is there now, up to `_READ_BYTES`. Raises as `os.read`, when nothing was read."""
    data = os.read(descriptor, _READ_BYTES)
    if len(data) < _WORTH_ANOTHER_BYTES:
        return data
    parts, size = [data], len(data)
    with suppress(OSError):  # it is empty now, or has ended, which the next read says, too
        while size < _READ_BYTES and (data := os.read(descriptor, _READ_BYTES)):
            parts.append(data)
            size += len(data)
    return b"".join(parts)
