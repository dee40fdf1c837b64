"""The writing end of a pipe: bytes go out in the order they came, and nobody reading waits for it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import IO

__all__ = ["PipeWriter"]

_MAX_UNSENT_BYTES = 8 * 1024 * 1024


class PipeWriter:
    """Writes at once when the pipe has room, else from the event loop when it has: no task to look after."""

    def __init__(self, pipe: IO[bytes], *, max_unsent_bytes: int = _MAX_UNSENT_BYTES) -> None:
        self._pipe = pipe
        self._max_unsent = max_unsent_bytes
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def write(self, data: bytes) -> None:
        """Take `data` for writing, then wait while too much is unsent.

        It is in the queue before the first await: callers are served in order, and a cancelled one
        has sent all of its data. A closed or broken pipe swallows it.
        """
        if self._pipe.closed:
            return
        was_idle = not self._unsent
        self._unsent.append(memoryview(data))
        self._unsent_bytes += len(data)
        if was_idle:
            self._flush()
            if self._unsent:
                self._loop.add_writer(self._pipe.fileno(), self._flush)
        if self._unsent_bytes > self._max_unsent:
            self._has_room.clear()
            await self._has_room.wait()

    def close(self) -> None:
        """Close the pipe: the reader sees its end. What is unsent is dropped: the reader did not want it."""
        if self._pipe.closed:
            return
        self._loop.remove_writer(self._pipe.fileno())
        self._unsent.clear()
        self._unsent_bytes = 0
        self._has_room.set()
        self._pipe.close()

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
        except BlockingIOError:
            pass
        except OSError:
            # The process is gone, which the reading side tells.
            self.close()
        if self._unsent_bytes <= self._max_unsent:
            self._has_room.set()
