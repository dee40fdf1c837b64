"""An ordered, lossless line pipe to a child process, and the end of that process and all its children."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_agent_core.redact import secret_values
from sandbox_agent_core.spi.agent import AgentExit

from sandbox_agent_server.runtime.pipe_reader import Batches, PipeReader
from sandbox_agent_server.runtime.pipe_writer import PipeWriter
from sandbox_agent_server.runtime.process import Process
from sandbox_agent_server.runtime.stderr_tail import StderrReader, StderrTail

__all__ = ["StdioLink"]

# Two steps of the ladder and the last kill together stay under 5 s.
_MAX_GRACE_S = 2.0
_KILL_PATIENCE_S = 0.4


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    stdin: PipeWriter
    stdout: PipeReader
    stderr: StderrReader

    def release(self) -> None:
        self.stdin.close()
        self.stdout.close()
        self.stderr.close()


class StdioLink:
    """One program, started once and closed once. Belongs to the event loop that starts it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        max_line_bytes: int = 32 * 1024 * 1024,
        stop_grace_s: float = 2.0,
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._argv = argv
        self._cwd = cwd
        self._env = env
        self._max_line_bytes = max_line_bytes
        self._grace_s = min(stop_grace_s, _MAX_GRACE_S)
        self._on_process = on_process
        self._stderr_tail = StderrTail(secrets=secret_values(env))
        self._running: _Running | None = None
        self._closing: asyncio.Task[AgentExit] | None = None

    @property
    def pid(self) -> int | None:
        """The process, its group and its session. None before `start`."""
        return self._running.process.pid if self._running is not None else None

    @property
    def exit(self) -> AgentExit | None:
        """How the process ended; None while it runs."""
        if self._running is None or not self._running.process.exited.done():
            return None
        return self._describe(self._running.process)

    async def start(self) -> None:
        """Run the program, looked up on the PATH of its own environment.

        Raises:
            AgentNotInstalled: there is no such program.
            AgentStartFailed: it is there and cannot be run.
        """
        if self._running is not None or self._closing is not None:
            raise RuntimeError("a link is started once")
        process = Process.spawn(self._argv, cwd=self._cwd, env=self._env)
        self._running = _Running(
            process,
            stdin=PipeWriter(process.stdin),
            # Before stdout: whoever reads its end finds the last words in the tail.
            stderr=StderrReader(process, self._stderr_tail),
            stdout=PipeReader(process, max_line_bytes=self._max_line_bytes),
        )
        self._on_process(process.pid)

    async def send(self, line: bytes) -> None:
        """Write one line, given without its newline. Returns when it is written or queued in order.

        Waits only while the process leaves megabytes unread. To a process that is gone it goes nowhere.
        """
        if self._running is not None:
            await self._running.stdin.write(line + b"\n")

    def lines(self) -> AsyncIterator[list[bytes]]:
        """Batches of whole lines, in order; ends when the process has ended or has closed its stdout.

        A line over `max_line_bytes` is an `OversizeLine` in its place. Not asking for more holds the
        process back. One reader at a time; reading may be cancelled and taken up again without loss,
        also after `close`.
        """
        if self._running is None:
            raise RuntimeError("start the link before reading from it")
        return Batches(self._running.stdout)

    async def close(self) -> AgentExit:
        """End the process and its tree: close stdin, then SIGTERM, then SIGKILL. Takes less than 5 s.

        May be called at any time, by several at once, and again. Cancelling a caller does not stop
        it; cancelling everything, as the end of the loop does, kills at once.
        """
        return await self._close(self._grace_s)

    async def terminate(self) -> AgentExit:
        """As `close`, but SIGTERM comes at once: for a program that at the end of its input would
        first finish what it is doing."""
        return await self._close(0)

    async def _close(self, grace_s: float) -> AgentExit:
        if self._closing is None:
            self._closing = asyncio.create_task(self._stop(grace_s), name=f"stop-{self.pid}")
        return await asyncio.shield(self._closing)

    async def _stop(self, grace_s: float) -> AgentExit:
        running = self._running
        if running is None:
            return AgentExit()
        process = running.process
        try:
            process.remember_tree()
            running.stdin.close()
            if not await process.exited_within(grace_s):
                process.remember_tree()
                process.signal_tree(signal.SIGTERM)
                await process.exited_within(self._grace_s)
            process.kill_tree()
            await process.killed_within(_KILL_PATIENCE_S)
        except asyncio.CancelledError:
            # The loop is shutting down: no time for manners, and nobody is left to be told.
            process.kill_tree()
        finally:
            process.reap(patience_s=_KILL_PATIENCE_S)
            running.release()
        return self._describe(process)

    def _describe(self, process: Process) -> AgentExit:
        status = process.exited.result() if process.exited.done() else None
        return AgentExit(
            exit_code=status.exit_code if status else None,
            signal=status.signal if status else None,
            stderr_tail=self._stderr_tail.text(),
        )
