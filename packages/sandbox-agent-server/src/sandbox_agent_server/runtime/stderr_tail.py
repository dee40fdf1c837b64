"""The last words of a process: what it wrote to stderr before it ended, fit to be shown to people."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from sandbox_agent_core.redact import mask

from sandbox_agent_server.runtime.pipes import bytes_in
from sandbox_agent_server.runtime.process import Process

__all__ = ["StderrReader", "StderrTail"]

_LIMIT_BYTES = 8 * 1024
_READ_BYTES = 64 * 1024


class StderrTail:
    """Keeps the newest `limit_bytes`, whatever is written."""

    def __init__(self, *, limit_bytes: int = _LIMIT_BYTES, secrets: Iterable[str] = ()) -> None:
        self._limit = limit_bytes
        self._secrets = tuple(secrets)
        self._kept = bytearray()
        self._is_cut = False

    def feed(self, data: bytes) -> None:
        self._kept += data
        # Cut at twice the limit, so that a stream of small writes is not moved each time.
        if len(self._kept) > 2 * self._limit:
            self._cut()

    def text(self) -> str:
        """The tail, starting at a whole line where there is one, with secrets masked."""
        if len(self._kept) > self._limit:
            self._cut()
        kept = bytes(self._kept)
        if self._is_cut:
            # A secret cut in half would not be recognised: the line that it was in goes.
            head, _newline, rest = kept.partition(b"\n")
            kept = rest or head
        return mask(kept.decode("utf-8", "replace"), secrets=self._secrets).rstrip()

    def _cut(self) -> None:
        del self._kept[: -self._limit]
        self._is_cut = True


class StderrReader:
    """Always reads, whoever else does: a process must not stall because nobody looks at its stderr."""

    def __init__(self, process: Process, tail: StderrTail) -> None:
        self._pipe = process.stderr
        self._tail = tail
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe.fileno(), self._on_readable)
        # Its last words are there before anybody is told that it ended: this callback is the first.
        process.exited.add_done_callback(lambda _exited: self._drain())

    def close(self) -> None:
        if not self._pipe.closed:
            self._drain()
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def _on_readable(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._tail.feed(data)
        else:
            self.close()

    def _drain(self) -> None:
        if not self._pipe.closed and (size := bytes_in(self._pipe.fileno())):
            self._tail.feed(os.read(self._pipe.fileno(), size))
