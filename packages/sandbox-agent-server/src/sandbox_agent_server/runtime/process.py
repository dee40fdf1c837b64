"""One child process that leads a session (and group) of its own, so that its whole tree can be killed.

The child is not reaped before `reap`: until then the kernel keeps its pid, and with it the group's
id, from being given to somebody else, so signals cannot hit a stranger.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.errors import why_not_started

__all__ = ["ExitStatus", "Process"]


class ExitStatus(NamedTuple):
    exit_code: int | None
    signal: int | None


_UNKNOWN = ExitStatus(None, None)


class Process:
    """A running program with three pipes. Made by `spawn` in a running event loop."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.stdin = _non_blocking(popen.stdin)
        self.stdout = _non_blocking(popen.stdout)
        self.stderr = _non_blocking(popen.stderr)
        self.pid = popen.pid
        """Also the id of its group and session; asking `getpgid` would race with its death."""
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[ExitStatus] = self._loop.create_future()
        """Done when the program has ended. For waiting on with `asyncio.wait`, not for awaiting."""
        self._pidfd: int | None = None
        self._known: dict[int, proc_table.ProcessStat] = {}
        self._watch()

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> Process:
        """Start `argv` with exactly `env`; the program is looked up on that environment's PATH.

        `on_process` is told the pid of whatever is started. A caller who is cancelled leaves nothing
        behind: the start is finished, told, and the process killed.

        Raises:
            ProcessNotFound: there is no such program.
            ProcessStartFailed: it is there and cannot be run.
        """
        # In a thread, because it takes a millisecond in which the loop would stand still; and not by
        # the loop's own subprocess, because uvloop forks, which costs more the larger the server is.
        launching = asyncio.get_running_loop().run_in_executor(None, _launch, argv, cwd, env)
        is_cancelled = False
        while not launching.done():
            try:
                await asyncio.wait([launching])
            except asyncio.CancelledError:
                # Nobody could stop the thread, and what it starts must not be lost.
                is_cancelled = True
        try:
            process = cls(launching.result())
        except (OSError, ValueError) as exc:
            if is_cancelled:
                raise asyncio.CancelledError from exc
            raise why_not_started(exc, argv, cwd, env) from exc
        try:
            on_process(process.pid)
            if is_cancelled:
                raise asyncio.CancelledError
        except BaseException:
            process.kill_tree()
            process.reap()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()
            raise
        return process

    async def exited_within(self, seconds: float) -> bool:
        if not self.exited.done():
            await asyncio.wait([self.exited], timeout=seconds)
        return self.exited.done()

    def remember_tree(self) -> None:
        """Note who belongs to it now: a child in a session of its own cannot be found once its parent is dead."""
        for stat in proc_table.descendants(self.pid, proc_table.read_all()):
            self._known[stat.pid] = stat

    def signal_tree(self, number: signal.Signals) -> None:
        """Signal the group and every remembered member of the tree."""
        if self._popen.returncode is None:
            # The group, not the process: `bash -lc` leaves grandchildren behind. A group of zombies
            # gives EPERM on macOS.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
        for stat in self._known.values():
            proc_table.kill(stat, number)

    def kill_tree(self) -> None:
        """SIGKILL everything, including what was forked meanwhile."""
        self.remember_tree()
        self.signal_tree(signal.SIGKILL)
        if self._known:
            # One may have forked between the look and the signal: its child is still in the session.
            self.remember_tree()
            self.signal_tree(signal.SIGKILL)

    async def killed_within(self, seconds: float) -> None:
        """Wait for the end of everything that `kill_tree` has killed."""
        await self.exited_within(seconds)
        await proc_table.until_gone(self._known.values(), seconds)

    def reap(self, *, patience_s: float = 0.5) -> ExitStatus:
        """Collect the dead process. Blocks up to `patience_s` when it was only just killed."""
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        try:
            code = self._popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            # Stuck in the kernel. Somebody else's Popen collects it later; nothing we can do helps.
            return _UNKNOWN
        self._set_exited(_status(code))
        return self.exited.result()

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
        status = _peek(self.pid, 0) if hasattr(os, "waitid") else _status(self._popen.wait())
        # A closed loop raises: then nobody is left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set_exited, status)

    def _set_exited(self, status: ExitStatus) -> None:
        if not self.exited.done():
            self.exited.set_result(status)


def _launch(
    argv: Sequence[str], cwd: str | Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def _non_blocking(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the three streams of the process must be pipes")
    os.set_blocking(pipe.fileno(), False)
    return pipe


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
