"""The start of a program, in a thread: nothing of ours runs between fork and exec."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sandbox_agent_server.runtime.errors import located

__all__ = ["Launched", "Prepare", "PtySize", "launch"]

_LOOK_EVERY_S = 0.001
_ALL_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class PtySize(NamedTuple):
    rows: int
    cols: int


Prepare = Callable[
    [Sequence[str], Path, Mapping[str, str]], tuple[Sequence[str], Mapping[str, str]]
]
"""`(argv, cwd, env)` -> what is started instead, with which environment. Blocks."""


def launch(
    argv: Sequence[str],
    cwd: str | Path,
    env: Mapping[str, str],
    pty: PtySize | None,
    prepare: Prepare | None = None,
) -> Launched:
    """Start a program as the leader of a session of its own, with pipes or on a terminal. Blocks.

    Raises:
        OSError: it is not there, or cannot be run.
        ValueError: an argument or a variable holds what none can.
    """
    if prepare is not None:
        argv, env = prepare(argv, Path(cwd), env)
    if pty is not None:
        return _OnTerminal(argv, cwd, env, size=pty)
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


class _OnTerminal:
    """As much of a `Popen` as is used here, of a program on a terminal. `Popen` could do it only with
    code run between fork and exec, which is slow, and unsafe in a program with threads.
    """

    stderr = None

    def __init__(
        self, argv: Sequence[str], cwd: str | Path, env: Mapping[str, str], *, size: PtySize
    ) -> None:
        """Raises: OSError."""
        program = located(argv[0], cwd, env)
        if program is None or not Path(cwd).is_dir():
            raise FileNotFoundError(argv[0])
        if not os.access(program, os.X_OK):
            raise PermissionError(argv[0])
        ours, its = os.openpty()
        try:
            termios.tcsetwinsize(its, size)
            self.pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", 'cd "$0" && exec "$@"', str(cwd), str(program.absolute()), *argv[1:]],
                env,
                setsid=True,
                # A server in the background ignores some, which its children would inherit: ^C.
                setsigdef=_ALL_SIGNALS,
                setsigmask=(),
                # It becomes the controlling terminal of the session whose leader opens it.
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.ttyname(its), os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                ],
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(its)
        self.stdin = os.fdopen(os.dup(ours), "wb", buffering=0)
        self.stdout = os.fdopen(ours, "rb", buffering=0)
        self.returncode: int | None = None

    def wait(self, timeout: float = math.inf) -> int:
        """Raises: TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0  # somebody else has collected it
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("sh", timeout)
            else:
                time.sleep(_LOOK_EVERY_S)
        return self.returncode


Launched = subprocess.Popen[bytes] | _OnTerminal
