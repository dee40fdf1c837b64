"""Servers without the second that importing one takes: forked from a process that has it imported, one for each worker."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ForkedServer", "can_fork"]

_PROGRAM = Path(__file__).with_name("server_template.py")
# Python and the C library read them once, before the fork.
_OF_THE_INTERPRETER = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OPENSSL_", "COVERAGE_")


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether a fork of ours is what a start of its own in this environment would be."""
    return (
        hasattr(os, "pidfd_open")
        and "COVERAGE_PROCESS_START" not in env
        and _of_the_interpreter(env) == _of_the_interpreter(os.environ)
    )


def _of_the_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_OF_THE_INTERPRETER)}


class ForkedServer:
    """What `subprocess.Popen` is for a process that another program is the parent of."""

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: int
    ) -> None:
        order = {
            "arguments": [os.fspath(argument) for argument in arguments],
            "env": {name: os.fspath(value) for name, value in env.items()},
            "cwd": str(cwd),
        }
        line = json.dumps(order).encode() + b"\n"
        self._connection, theirs = socket.socketpair()
        self._reader = self._connection.makefile("r", encoding="ascii")
        self.returncode: int | None = None
        try:
            with theirs:
                _template().send([log, theirs.fileno()])
            self._connection.sendall(line)
            self.pid = self._number()
        except BaseException:
            self._close()
            raise

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("sandbox-agent-server", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
            try:
                self.returncode = self._number()
            finally:
                self._close()
        return self.returncode

    def _number(self) -> int:
        line = self._reader.readline()
        if not line:
            raise RuntimeError(
                "the process that forks servers is gone, or could not read the order"
            )
        return int(line)

    def _close(self) -> None:
        self._reader.close()
        self._connection.close()


class _Template:
    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, _PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._close)

    def send(self, descriptors: list[int]) -> None:
        with self._lock:
            socket.send_fds(self._channel, [b"+"], descriptors)

    def _close(self) -> None:
        self._channel.close()
        self._process.wait()


_made: list[_Template] = []
_making = threading.Lock()


def _template() -> _Template:
    with _making:
        if not _made:
            _made.append(_Template())
        return _made[0]
