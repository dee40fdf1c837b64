"""One child process that leads a session (and group) of its own, so that its whole tree can be killed.

The child is not reaped before it is told to `end`: until then the kernel keeps its pid, and with it the group's
id, from being given to somebody else, so signals cannot hit a stranger.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from sandbox_agent_server.runtime.children import the_children
from sandbox_agent_server.runtime.confined_start import confined_thread
from sandbox_agent_server.runtime.errors import why_not_started
from sandbox_agent_server.runtime.launching import Launched, Prepare, PtySize, launch
from sandbox_agent_server.runtime.marker import with_marker
from sandbox_agent_server.runtime.process_tree import ProcessTree

__all__ = ["ExitStatus", "Process"]

_KILL_PATIENCE_S = 0.8
_REAP_PATIENCE_S = 0.4


class ExitStatus(NamedTuple):
    exit_code: int | None
    signal: int | None


_UNKNOWN = ExitStatus(None, None)


class Process:
    """A running program with three pipes, or on a terminal. Made by `spawn` in a running event loop."""

    def __init__(self, launched: Launched, marker: str | None) -> None:
        assert launched.stdin is not None
        assert launched.stdout is not None
        self.stdin = launched.stdin
        self.stdout = launched.stdout
        """On a terminal these two are its one other end, which is closed when both are."""
        self.stderr = launched.stderr
        """None on a terminal, where stdout has it."""
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)
        self.pid = launched.pid
        """Also the id of its group and session; asking `getpgid` would race with its death."""
        self._launched = launched
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[ExitStatus] = self._loop.create_future()
        """Done when the program has ended. For waiting on with `asyncio.wait`, not for awaiting."""
        self._pidfd: int | None = None
        # It is not reaped, so it has a start time, wherever there is such a thing.
        self._start_time = the_children.start_time_of(self.pid)
        leader = None if self._start_time is None else (self.pid, self._start_time)
        self._tree = ProcessTree(marker=marker, leader=leader, is_ours=True)
        self._watch()

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        pty: PtySize | None = None,
        prepare: Prepare | None = None,
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> Process:
        """Start `argv` with exactly `env`, but that a marker in it becomes this process's own; the program is
        looked up on that environment's PATH.

        With `pty` it runs on a terminal of that size, which controls its session; a shell starts it
        there, which adds PWD.

        `prepare` makes of the command and its environment what is started, confined; what it raises besides
        OSError comes as it is.

        `on_process` is told the pid of whatever is started. A caller who is cancelled leaves nothing
        behind: the start is finished, told, and the process killed.

        Raises:
            ProcessNotFound: there is no such program.
            ProcessStartFailed: it is there and cannot be run.
        """
        # Not by the loop's own subprocess: uvloop forks, and the loop stands still the longer for it the
        # larger the server is.
        marked, marker = with_marker(env)
        start = functools.partial(launch, argv, cwd, marked, pty, prepare)
        launching = asyncio.get_running_loop().run_in_executor(
            confined_thread() if prepare is not None else None, the_children.start, start
        )
        is_cancelled = False
        while not launching.done():
            try:
                await asyncio.wait([launching])
            except asyncio.CancelledError:
                # Nobody could stop the thread, and what it starts must not be lost.
                is_cancelled = True
        try:
            process = cls(launching.result(), marker)
        except (OSError, ValueError) as exc:
            if is_cancelled:
                raise asyncio.CancelledError from exc
            raise why_not_started(exc, argv, cwd, env) from exc
        try:
            on_process(process.pid)
            if is_cancelled:
                raise asyncio.CancelledError
        except BaseException:
            process._kill_tree()
            process._reap()
            for stream in process._streams:
                stream.close()
            raise
        return process

    def resize(self, size: PtySize) -> None:
        """Of its terminal; what runs in the foreground there is told."""
        if not self.stdout.closed:
            termios.tcsetwinsize(self.stdout.fileno(), size)

    def signal_tree(self, number: signal.Signals) -> None:
        """Signal the group and every member of the tree that `end` has seen."""
        self._signal_group(number)
        self._tree.signal(number)

    async def end(self, *steps: tuple[Callable[[], None], float]) -> None:
        """End the process and its tree: each step asks it to, and gives it so many seconds; then SIGKILL.

        Cancelled, as by the end of the loop, it kills at once. The process is reaped when this returns.
        """
        try:
            for ask, seconds in steps:
                if not self.exited.done():
                    await asyncio.to_thread(self._tree.look)
                ask()
                if await self._exited_within(seconds):
                    break
            self._signal_group(signal.SIGKILL)
            await asyncio.to_thread(self._tree.kill, _KILL_PATIENCE_S)
            await self._exited_within(_REAP_PATIENCE_S)
        except asyncio.CancelledError:
            # The loop is shutting down: no time for manners, and nobody is left to be told.
            self._kill_tree()
        finally:
            self._reap()

    def reap(self) -> None:
        """It has `exited`: collect it. What it left running goes on; `end` still ends that."""
        self._reap()

    @property
    def _streams(self) -> list[IO[bytes]]:
        return [stream for stream in (self.stdin, self.stdout, self.stderr) if stream is not None]

    async def _exited_within(self, seconds: float) -> bool:
        if not self.exited.done():
            await asyncio.wait([self.exited], timeout=seconds)
        return self.exited.done()

    def _kill_tree(self) -> None:
        """SIGKILL everything. Blocks for a moment."""
        self._signal_group(signal.SIGKILL)
        self._tree.kill(_KILL_PATIENCE_S)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._launched.returncode is None:
            # The group, not the process: `bash -lc` leaves grandchildren behind. A group of zombies
            # gives EPERM on macOS.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        """Collect the dead process. Blocks for a moment when it was only just killed."""
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        # One that is stuck in the kernel is collected later, by somebody else's Popen: nothing we can do helps.
        with suppress(subprocess.TimeoutExpired):
            self._set_exited(_status(self._launched.wait(_REAP_PATIENCE_S)))
        self._tree.ended()
        if self._start_time is not None:
            the_children.disown(self.pid, self._start_time)

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
            self._loop.add_reader(self._pidfd, self._on_pidfd, self._pidfd)
        except (AttributeError, OSError):
            # Not Linux, or a sandbox kernel without pidfds (gVisor).
            threading.Thread(
                target=self._wait_in_thread, name=f"wait-{self.pid}", daemon=True
            ).start()

    def _on_pidfd(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        self._set_exited(_peek(self.pid, os.WNOHANG))

    def _wait_in_thread(self) -> None:
        status = _peek(self.pid, 0) if hasattr(os, "waitid") else _status(self._launched.wait())
        # A closed loop raises: then nobody is left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set_exited, status)

    def _set_exited(self, status: ExitStatus) -> None:
        if not self.exited.done():
            self.exited.set_result(status)


def _peek(pid: int, flags: int) -> ExitStatus:
    """How the process ended, leaving it unreaped."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | flags)
    except ChildProcessError:
        return _UNKNOWN
    if result is None:
        return _UNKNOWN
    if result.si_code == os.CLD_EXITED:
        return ExitStatus(result.si_status, None)
    return ExitStatus(None, result.si_status)


def _status(returncode: int) -> ExitStatus:
    return ExitStatus(returncode, None) if returncode >= 0 else ExitStatus(None, -returncode)
