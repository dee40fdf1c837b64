"""The start of a program, in a thread: nothing of ours runs between fork and exec."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import signal
import stat
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sandbox_agent_server.runtime.errors import located

__all__ = ["Launched", "Prepare", "PtySize", "launch"]

_LOOK_EVERY_S = 0.001
_FIRST_FREE = 3
"""The first descriptor that means nothing to a program."""
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
    # Searched for here: after vfork each directory that does not have it is a step that all of Python waits for.
    program = _on_path(argv[0], env)
    if program is not None and _is_here(cwd):
        return _OnPipes(program, argv, env)
    return subprocess.Popen(  # noqa: S603
        list(argv),
        executable=program,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def _on_path(program: str, env: Mapping[str, str]) -> str | None:
    """None where the system has to look for itself, and to say why it finds none."""
    if os.sep in program:
        return program
    for directory in env.get("PATH", "").split(os.pathsep):
        if not directory.startswith(os.sep):
            return None  # it counts from the directory of what is started
        path = f"{directory}/{program}"
        if os.access(path, os.X_OK) and stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - asked for each start
            return path
    return None


def _is_here(cwd: str | Path) -> bool:
    """The directory of this process."""
    try:
        return os.path.samestat(os.stat(cwd), os.stat("."))  # noqa: PTH116 - asked for each start
    except OSError:
        return False


class _Spawned:
    """As much of a `Popen` as is used here, at half its price."""

    pid: int
    returncode: int | None = None

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


class _OnPipes(_Spawned):
    """A program in the directory of this process: `posix_spawn` cannot go to another one."""

    def __init__(self, program: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Raises: OSError, ValueError."""
        _inherit_nothing()
        its_stdin, stdin, stdout, its_stdout, stderr, its_stderr = pipes = _three_pipes()
        try:
            self.pid = os.posix_spawn(
                program,
                [*argv],
                env,
                setsid=True,
                # Those that Python ignores, which its children would inherit.
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, its_stdin, 0),
                    (os.POSIX_SPAWN_DUP2, its_stdout, 1),
                    (os.POSIX_SPAWN_DUP2, its_stderr, 2),
                ],
            )
        except BaseException:
            for descriptor in pipes:
                os.close(descriptor)
            raise
        for descriptor in (its_stdin, its_stdout, its_stderr):
            os.close(descriptor)
        self.stdin = os.fdopen(stdin, "wb", buffering=0)
        self.stdout = os.fdopen(stdout, "rb", buffering=0)
        self.stderr = os.fdopen(stderr, "rb", buffering=0)


@functools.cache
def _inherit_nothing() -> None:
    """Of what this process was started with: what it opens itself is its own anyway."""
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    except OSError:
        return  # no Linux
    for descriptor in descriptors:
        if descriptor >= _FIRST_FREE:
            with contextlib.suppress(OSError):  # that of the listing is closed
                os.set_inheritable(descriptor, False)


def _three_pipes() -> tuple[int, int, int, int, int, int]:
    """Each as its reading and its writing end; none of them is 0, 1 or 2. Raises: OSError."""
    made: list[int] = []
    low: list[int] = []
    try:
        while len(made) < 6:
            pair = os.pipe()
            # A server that was started without stdin has such numbers to give away.
            (low if min(pair) < _FIRST_FREE else made).extend(pair)
    except OSError:
        for descriptor in made:
            os.close(descriptor)
        raise
    finally:
        for descriptor in low:
            os.close(descriptor)
    return made[0], made[1], made[2], made[3], made[4], made[5]


class _OnTerminal(_Spawned):
    """A program on a terminal. `Popen` could do it only with code run between fork and exec, which is slow, and
    unsafe in a program with threads.
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


Launched = subprocess.Popen[bytes] | _OnPipes | _OnTerminal
