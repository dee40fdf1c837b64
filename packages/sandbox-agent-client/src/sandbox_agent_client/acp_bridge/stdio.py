"""The editor's end: JSON on lines, in from stdin and out to stdout, which nothing else may write to."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import deque
from contextlib import suppress
from typing import Any, BinaryIO, Final

__all__ = ["LineReader", "LineWriter"]

_READ_BYTES: Final = 256 * 1024
_LINES: Final = 64
"""That are read ahead."""


class LineReader:
    """Lines of a pipe, a terminal or a file. Read in a thread, which ends with the process: nothing else gets out of a
    read that has begun. By its descriptor, because the lock of a file object would abort the interpreter at its end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=_LINES)
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def next(self) -> bytes | None:
        """Without its end; None at the end of all."""
        return await self._lines.get()

    def _read(self) -> None:
        pieces: list[bytes] = []
        with suppress(RuntimeError):  # the loop is closed
            while data := self._more():
                head, *lines = data.split(b"\n")
                pieces.append(head)
                for line in lines:
                    self._put(b"".join(pieces))
                    pieces = [line]
            self._put(b"".join(pieces))
            self._put(None)

    def _more(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError:
            return b""

    def _put(self, line: bytes | None) -> None:
        if line is None or (line := line.strip()):
            put = self._lines.put(line)
            asyncio.run_coroutine_threadsafe(put, self._loop).result()


class LineWriter:
    """Writes in a thread as well: an editor that does not read must not hold up what keeps the connection."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._has_lines = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def write(self, frame: Any) -> None:
        self._lines.append(
            json.dumps(frame, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        )
        self._is_idle.clear()
        self._has_lines.set()

    async def run(self) -> None:
        """Raises: OSError when the editor is gone."""
        while True:
            await self._has_lines.wait()
            self._has_lines.clear()
            lines = b"".join(self._lines)
            self._lines.clear()
            await asyncio.to_thread(self._put, lines)
            if not self._lines:
                self._is_idle.set()

    async def flushed(self) -> None:
        await self._is_idle.wait()

    def _put(self, lines: bytes) -> None:
        self._stream.write(lines)
        self._stream.flush()
