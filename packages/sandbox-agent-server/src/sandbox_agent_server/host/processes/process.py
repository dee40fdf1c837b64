"""One process of a caller: its output, its input, its terminal, its end."""

from __future__ import annotations

import asyncio
import functools
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from sandbox_agent_core.api.processes import ProcessInfo, ProcessLogStream
from sandbox_agent_core.errors import Conflict, LimitReached, ProcessNotRunning

from sandbox_agent_server.host.processes.output import Output
from sandbox_agent_server.runtime.launching import PtySize
from sandbox_agent_server.runtime.pipe_ends import PipeReader, PipeWriter
from sandbox_agent_server.runtime.process import ExitStatus, Process

__all__ = ["HostProcess", "signal_name"]

_END_OF_FILE: Final = b"\x04"
"""What ^D types."""


@dataclass(slots=True)
class _Running:
    process: Process
    stdin: PipeWriter
    readers: list[PipeReader]


class HostProcess:
    """Runs, or has ended and is only looked at. Belongs to the event loop."""

    def __init__(
        self,
        info: ProcessInfo,
        output: Output,
        *,
        on_end: Callable[[HostProcess], None] = lambda _process: None,
    ) -> None:
        self._info = info
        self.output = output
        self._on_end = on_end
        self._running: _Running | None = None
        self._open_readers = 0
        self._ended = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._timing_out: asyncio.Task[None] | None = None
        if info.status == "exited":
            self._ended.set()

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def is_running(self) -> bool:
        return not self._ended.is_set()

    @property
    def is_on_terminal(self) -> bool:
        return self._info.tty

    @property
    def info(self) -> ProcessInfo:
        return self._info.model_copy(update={"output_bytes": self.output.size_bytes})

    def run(self, process: Process, *, timeout_s: float | None, grace_s: float) -> None:
        """It was started, just now."""
        self._info.pid = process.pid
        first: ProcessLogStream = "pty" if self._info.tty else "stdout"
        readers = [self._reader(first, process.stdout, process)]
        if process.stderr is not None:
            readers.append(self._reader("stderr", process.stderr, process))
        self._open_readers = len(readers)
        stdin = PipeWriter(process.stdin, on_overflow=lambda: None)
        self._running = _Running(process, stdin, readers)
        self.output.on_room = self._resume
        process.exited.add_done_callback(lambda _exited: self._end_if_all_is_read())
        if timeout_s is not None:
            self._deadline = asyncio.get_running_loop().call_later(
                timeout_s, self._on_timeout, grace_s
            )

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Until it has ended, and all its output is in `output`. False: it runs on after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        return self._ended.is_set()

    async def write(
        self, data: bytes, *, eof: bool = False, in_all: int, patience_s: float
    ) -> None:
        """Type it, or write it to its stdin. What it does not read waits for it, up to `in_all` bytes.

        Raises:
            ProcessNotRunning: it has ended, or its stdin has.
            LimitReached: it has not read what is there for `patience_s`. Nothing of `data` was written.
        """
        stdin = self._stdin()
        try:
            async with asyncio.timeout(patience_s):
                await stdin.has_room(len(data), in_all=in_all)
        except TimeoutError as exc:
            raise LimitReached(
                f"{self.id} does not read its input: {in_all} bytes wait for it already. Try again when it does",
                limit="max_unread_input_bytes",
                value=in_all,
            ) from exc
        stdin = self._stdin()
        if not eof:
            stdin.write(data)
        elif self._info.tty:
            stdin.write(data + _END_OF_FILE)
        else:
            stdin.write(data)
            stdin.end()

    def resize(self, size: PtySize) -> None:
        """Raises: ProcessNotRunning; Conflict: it is on no terminal."""
        self.check_terminal()
        if self._running is None or not self.is_running:
            raise ProcessNotRunning(f"{self.id} has ended: it has no terminal any more")
        self._running.process.resize(size)

    def check_terminal(self) -> None:
        """Raises: Conflict: it is on no terminal."""
        if not self._info.tty:
            raise Conflict(
                f"{self.id} is not on a terminal; start one with `tty`: true", process=self.id
            )

    async def stop(self, *, grace_s: float) -> None:
        """SIGTERM for it and all that came from it (a terminal is hung up, too), and after `grace_s` SIGKILL."""
        await self._end((self._ask_to_end, grace_s))

    async def kill(self) -> None:
        """SIGKILL, for it and all that came from it, also what it left running when it had ended."""
        if self._running is not None and self.is_running:
            self._running.process.signal_tree(signal.SIGKILL)
        await self._end()

    async def _end(self, *steps: tuple[Callable[[], None], float]) -> None:
        """Who stops waiting does not stop the end."""
        if self._running is None:
            return
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(
                self._end_all(self._running, *steps), name=f"end of {self.id}"
            )
        await asyncio.shield(self._ending)

    async def _end_all(self, running: _Running, *steps: tuple[Callable[[], None], float]) -> None:
        try:
            await running.process.end(*steps)
        finally:
            for reader in running.readers:
                reader.close()
            self._end_if_all_is_read()

    def _ask_to_end(self) -> None:
        if self._running is None:
            return
        self._running.process.signal_tree(signal.SIGTERM)
        if self._info.tty:
            # Interactive shells ignore the other.
            self._running.process.signal_tree(signal.SIGHUP)

    def _stdin(self) -> PipeWriter:
        if self._running is None or not self.is_running:
            raise ProcessNotRunning(f"{self.id} has ended: it takes no input")
        if self._running.stdin.is_closed:
            raise ProcessNotRunning(f"the stdin of {self.id} is closed: it takes no more input")
        return self._running.stdin

    def _reader(self, stream: ProcessLogStream, pipe: IO[bytes], process: Process) -> PipeReader:
        return PipeReader(
            pipe,
            process.exited,
            on_data=functools.partial(self._on_data, stream),
            on_end=self._on_reader_end,
            gathers=self._info.tty,
        )

    def _on_data(self, stream: ProcessLogStream, data: bytes) -> None:
        self.output.write(stream, data)
        if self.output.is_full and self._running is not None:
            for reader in self._running.readers:
                reader.pause()

    def _resume(self) -> None:
        if self._running is not None:
            for reader in self._running.readers:
                reader.resume()

    def _on_reader_end(self) -> None:
        self._open_readers -= 1
        self._end_if_all_is_read()

    def _on_timeout(self, grace_s: float) -> None:
        if self.is_running and self._running is not None:
            self._info.timed_out = True
            self._timing_out = asyncio.create_task(
                self.stop(grace_s=grace_s), name=f"timeout of {self.id}"
            )

    def _end_if_all_is_read(self) -> None:
        running = self._running
        if running is None or not self.is_running:
            return
        if not running.process.exited.done() or self._open_readers > 0:
            return
        status: ExitStatus = running.process.exited.result()
        running.process.reap()
        running.stdin.close()
        if self._deadline is not None:
            self._deadline.cancel()
        self._info.status = "exited"
        self._info.pid = None
        self._info.exit_code = status.exit_code
        self._info.signal = signal_name(status.signal)
        self._info.exited_at_ms = time.time_ns() // 1_000_000
        self._info.output_bytes = self.output.size_bytes
        self.output.end()
        self._ended.set()
        self._on_end(self)


def signal_name(number: int | None) -> str | None:
    """`SIGTERM`; None for none."""
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
