"""Ports of containers on another machine, as ports of this one: an ssh for each, which is started again when it ends."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path

from sandbox_agent_docker.ssh import READY, SshHost, last_words

__all__ = ["Tunnels"]

START_TIMEOUT_S = 30.0
START_TRIES = 3
"""Somebody else may take the port that was free a moment ago."""
RESTART_DELAY_S = 1.0
END_TIMEOUT_S = 2.0


class Tunnels:
    """They end with this object, and with this process, however it ends."""

    def __init__(self, host: SshHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, int], _Tunnel] = {}
        self.close = weakref.finalize(self, _close_all, self._open)

    def port(self, sandbox: str, remote: tuple[str, int]) -> int:
        """Of this machine, which leads to that address as the other machine sees it. Blocks.

        Raises:
            ProviderUnavailable: ssh does not get there.
        """
        with self._lock:
            key = (sandbox, *remote)
            if (there := self._open.get(key)) is None:
                # A container that was started again has other ports.
                there = self._open[key] = _opened(self._host, remote)
            return there.local

    def forget(self, sandbox: str) -> None:
        """Close those of a sandbox that is gone. Blocks for a moment."""
        with self._lock:
            for key in [key for key in self._open if key[0] == sandbox]:
                self._open.pop(key).close()


class _Tunnel:
    def __init__(self, host: SshHost, local: int, remote: tuple[str, int]) -> None:
        self.local = local
        self._command = host.to_port(local, remote)
        self._directory = Path(tempfile.mkdtemp(prefix="sandbox-agent-"))
        self._log = self._directory / "ssh.log"
        self._is_closed = threading.Event()
        self._is_ready = threading.Event()
        self._changing = threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(
            target=self._keep, name=f"sandbox-agent-docker-tunnel-{local}", daemon=True
        )
        self._thread.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """False: it ended, or said nothing in time."""
        self._is_ready.wait(timeout_s)
        return self._is_ready.is_set() and not self._is_closed.is_set()

    def last_words(self) -> str:
        return last_words(self._log)

    def close(self) -> None:
        with self._changing:
            self._is_closed.set()
            process = self._process
        _end(process)
        self._thread.join(END_TIMEOUT_S)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as said:
            # Its stdin is never written: it ends with us, and so does what reads it at the other end.
            return subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while True:
            process = self._process
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    if READY.encode() in line:
                        self._is_ready.set()
            if not self._is_ready.is_set():
                # The first one fails: who has asked for it is told, and it is not tried again.
                self._is_closed.set()
                self._is_ready.set()
            self._is_closed.wait(RESTART_DELAY_S)
            with self._changing, suppress(OSError):
                if self._is_closed.is_set():
                    return
                self._process = self._start()


def _opened(host: SshHost, remote: tuple[str, int]) -> _Tunnel:
    words = ""
    for _ in range(START_TRIES):
        try:
            tunnel = _Tunnel(host, _free_port(), remote)
        except FileNotFoundError as exc:
            raise host.unavailable("there is no program ssh") from exc
        if tunnel.wait_ready(START_TIMEOUT_S):
            return tunnel
        words = tunnel.last_words()
        tunnel.close()
        if "Address already in use" not in words:
            break
    raise host.unavailable(words)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _close_all(tunnels: dict[tuple[str, str, int], _Tunnel]) -> None:
    while tunnels:
        tunnels.popitem()[1].close()
