"""A local socket that leads to a daemon on another machine: each connection to it is one by ssh.

Docker's SDK has a way of its own, which wants another implementation of ssh besides, logs in for each call, knows no
timeout, and says nothing of why it fails.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path

from sandbox_agent_docker.ssh import SshHost, last_words

__all__ = ["Relay"]

BACKLOG = 128
MAX_DIRECTORY_CHARS = 60
"""The path of a socket has room for about a hundred."""
END_TIMEOUT_S = 2.0


class Relay:
    """It is there until it is closed or nobody has it any more."""

    def __init__(self, host: SshHost) -> None:
        """Raises: FileNotFoundError: there is no program `ssh`."""
        if shutil.which("ssh") is None:
            raise FileNotFoundError("ssh")
        short = len(tempfile.gettempdir()) < MAX_DIRECTORY_CHARS
        # Only this user may enter it.
        directory = Path(tempfile.mkdtemp(prefix="sandbox-agent-", dir=None if short else "/tmp"))  # noqa: S108
        self._path = directory / "docker.sock"
        self._ways = _Ways(host, directory)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen(BACKLOG)
        self.close = weakref.finalize(self, _close, listener, self._ways, directory)
        threading.Thread(
            target=_accept,
            args=(listener, self._ways),
            name="sandbox-agent-docker-relay",
            daemon=True,
        ).start()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def last_words(self) -> str:
        """Of the connection that failed last."""
        return last_words(self._ways.log)


class _Ways:
    def __init__(self, host: SshHost, directory: Path) -> None:
        self.log = directory / "ssh.log"
        self._shared_log = directory / "shared.log"
        self._to_share = host.to_share(directory / "shared")
        self._to_daemon = host.to_daemon(directory / "shared")
        self._changing = threading.Lock()
        self._shared: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def connect(self, connection: socket.socket) -> None:
        """Returns when it is over."""
        self._share()
        # The program has the socket itself: bytes go through nothing of ours, and either end is the end of both.
        with connection, suppress(OSError), self.log.open("ab") as said:
            process = subprocess.Popen(  # noqa: S603
                self._to_daemon,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=said,
                start_new_session=True,
            )
            connection.close()
            process.wait()

    def close(self) -> None:
        with self._changing:
            self._is_closed = True
            if self._shared is not None:
                _end(self._shared)

    def _share(self) -> None:
        """Nobody waits for it: whoever comes before it is open goes alone."""
        with self._changing, suppress(OSError):
            if self._is_closed or (self._shared is not None and self._shared.poll() is None):
                return
            if self._shared is not None:
                _end(self._shared)
            with self._shared_log.open("wb") as said:
                self._shared = subprocess.Popen(  # noqa: S603
                    self._to_share,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )


def _accept(listener: socket.socket, ways: _Ways) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # it is closed
            return
        threading.Thread(target=ways.connect, args=(connection,), daemon=True).start()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with process:
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _close(listener: socket.socket, ways: _Ways, directory: Path) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    ways.close()
    shutil.rmtree(directory, ignore_errors=True)
