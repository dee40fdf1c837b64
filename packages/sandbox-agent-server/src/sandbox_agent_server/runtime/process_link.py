"""A process to talk to: bytes both ways over its pipes or its terminal, and the end of it and all its children."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_agent_core.redact import secret_values

from sandbox_agent_server.runtime.launching import Prepare, PtySize
from sandbox_agent_server.runtime.memory_kills import memory_kills, offer_as_victim
from sandbox_agent_server.runtime.pipe_ends import MAX_UNSENT_BYTES, PipeReader, PipeWriter
from sandbox_agent_server.runtime.process import Process
from sandbox_agent_server.runtime.stderr_tail import StderrTail

__all__ = ["ProcessExit", "ProcessLink"]

logger = logging.getLogger(__name__)

# Two steps of the ladder and the last kill together stay under 5 s.
_MAX_GRACE_S = 2.0
_KILLED_IN_A_SHELL = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExit:
    """How a process ended."""

    exit_code: int | None = None
    """None while unknown, and when a signal ended it."""
    signal: int | None = None
    stderr_tail: str = ""
    """The last lines it wrote to stderr, redacted."""
    is_out_of_memory: bool = False
    """The kernel killed it, because there was no memory left."""
    memory_limit_bytes: int | None = None
    """How much there is, where that is known; only of one that is out of memory."""


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    stdin: PipeWriter
    stdout: PipeReader
    stderr: PipeReader | None

    def release(self) -> None:
        self.stdin.close()
        # Before stdout: whoever is told of its end finds the last words in the tail.
        if self.stderr is not None:
            self.stderr.close()
        self.stdout.close()


class ProcessLink:
    """One program, started once and closed once. Belongs to the event loop that starts it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        pty: PtySize | None = None,
        stop_grace_s: float = 2.0,
        prepare: Prepare | None = None,
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        """`on_data` gets what it writes to stdout, or to its terminal of size `pty`, in order. `on_end`
        comes once after the last: the process has ended or has closed its stdout. Both are called by
        the event loop, never by two at once, and never raise. `prepare`: as `Process.spawn`.
        """
        self._argv = argv
        self._cwd = cwd
        self._env = env
        self._on_data = on_data
        self._on_end = on_end
        self._pty = pty
        self._grace_s = min(stop_grace_s, _MAX_GRACE_S)
        self._prepare = prepare
        self._on_process = on_process
        self._stderr_tail = StderrTail(secrets=secret_values(env))
        self._kills_before = 0
        self._starting: asyncio.Event | None = None
        self._running: _Running | None = None
        self._closing: asyncio.Task[ProcessExit] | None = None

    @property
    def pid(self) -> int | None:
        """The process, its group and its session. None before `start`."""
        return self._running.process.pid if self._running is not None else None

    @property
    def exit(self) -> ProcessExit | None:
        """How the process ended; None while it runs."""
        if self._running is None or not self._running.process.exited.done():
            return None
        return self._describe(self._running.process)

    @property
    def last_words(self) -> str:
        """The end of what it has written to stderr so far."""
        return self._stderr_tail.text()

    async def start(self) -> None:
        """Run the program, looked up on the PATH of its own environment.

        Raises:
            ProcessNotFound: there is no such program.
            ProcessStartFailed: it is there and cannot be run.
        """
        if self._starting is not None or self._closing is not None:
            raise RuntimeError("a link is started once")
        self._starting = asyncio.Event()
        self._kills_before = memory_kills().count()
        try:
            process = await Process.spawn(
                self._argv,
                cwd=self._cwd,
                env=self._env,
                pty=self._pty,
                prepare=self._prepare,
                on_process=self._on_process,
            )
            offer_as_victim(process.pid)
            self._running = self._connect(process)
        finally:
            self._starting.set()

    def write(self, data: bytes) -> None:
        """Write to the process, or queue it in order. Never waits.

        To a process that is gone it goes nowhere. One that leaves more than `MAX_UNSENT_BYTES` unread
        is ended.
        """
        if self._running is not None:
            self._running.stdin.write(data)

    def pause(self) -> None:
        """Hold the process back: nothing more is delivered until `resume` or the end of `close`."""
        if self._running is not None:
            self._running.stdout.pause()

    def resume(self) -> None:
        """Nothing is delivered before this returns."""
        if self._running is not None:
            self._running.stdout.resume()

    def resize(self, size: PtySize) -> None:
        """Of the terminal; what runs in its foreground is told."""
        if self._running is not None:
            self._running.process.resize(size)

    async def close(self) -> ProcessExit:
        """End the process and its tree: close stdin or hang up the terminal, then SIGTERM, then SIGKILL.

        Takes less than 5 s. What was still unread is delivered before it returns, also when paused; what is
        written to a terminal that was hung up is lost. May
        be called at any time, by several at once, and again. Cancelling a caller does not stop it;
        cancelling everything, as the end of the loop does, kills at once.
        """
        return await asyncio.shield(self._close(self._grace_s))

    async def terminate(self) -> ProcessExit:
        """As `close`, but SIGTERM comes at once: for a program that at the end of its input would
        first finish what it is doing."""
        return await asyncio.shield(self._close(0))

    def _connect(self, process: Process) -> _Running:
        exited = process.exited
        stderr = None
        if process.stderr is not None:
            # Before stdout, for the same reason as at their end.
            stderr = PipeReader(
                process.stderr, exited, on_data=self._stderr_tail.feed, on_end=lambda: None
            )
        stdout = PipeReader(process.stdout, exited, on_data=self._on_data, on_end=self._on_end)
        return _Running(
            process,
            stdin=PipeWriter(process.stdin, on_overflow=self._on_overflow),
            stdout=stdout,
            stderr=stderr,
        )

    def _close(self, grace_s: float) -> asyncio.Task[ProcessExit]:
        if self._closing is None:
            self._closing = asyncio.create_task(self._stop(grace_s), name=f"stop-{self.pid}")
        return self._closing

    async def _stop(self, grace_s: float) -> ProcessExit:
        if self._starting is not None:
            await self._starting.wait()
        running = self._running
        if running is None:
            return ProcessExit()
        process = running.process
        ask = functools.partial(self._ask_to_end, running)
        terminate = functools.partial(process.signal_tree, signal.SIGTERM)
        try:
            await process.end((ask, grace_s), (terminate, self._grace_s))
        finally:
            running.release()
        return self._describe(process)

    def _ask_to_end(self, running: _Running) -> None:
        if self._pty is None:
            running.stdin.close()
        elif not running.process.stdout.closed:
            # Letting go of it hangs it up: shells end, and those that wait for input wake up.
            running.release()

    def _on_overflow(self) -> None:
        logger.warning("process %s leaves %d bytes unread and is ended", self.pid, MAX_UNSENT_BYTES)
        self._close(0)

    def _describe(self, process: Process) -> ProcessExit:
        status = process.exited.result() if process.exited.done() else None
        is_killed = status is not None and (
            status.signal == signal.SIGKILL or status.exit_code == _KILLED_IN_A_SHELL
        )
        is_out_of_memory = is_killed and memory_kills().count() > self._kills_before
        return ProcessExit(
            exit_code=status.exit_code if status else None,
            signal=status.signal if status else None,
            stderr_tail=self._stderr_tail.text(),
            is_out_of_memory=is_out_of_memory,
            memory_limit_bytes=memory_kills().limit_bytes() if is_out_of_memory else None,
        )
