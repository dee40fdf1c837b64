"""The real server in a process of its own, for tests that are about sockets, processes and files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from support.forked_server import ForkedServer, can_fork

__all__ = ["DEADLINE_S", "ServerProcess", "sse_items", "until"]

DEADLINE_S = 30.0
TOKEN = "token-of-the-tests"


class ServerProcess:
    """Start, stop, kill and restart on the same data directory.

    It is forked from a process that has the server imported already, which is ten times as quick. `is_forked=False` is for
    tests of what the kernel keeps of a program's own start, such as its environment in /proc.
    """

    def __init__(
        self,
        directory: Path,
        *,
        config: str = "",
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        token: str | None = TOKEN,
        is_forked: bool = True,
    ) -> None:
        self._is_forked = is_forked
        self.data_dir = directory / "data"
        self.log_path = directory / "server.log"
        self._ready = directory / "ready.json"
        self._config = directory / "config.toml"
        self._config.write_text(config, encoding="utf-8")
        self._arguments = [*arguments]
        self._token = token
        # Not the repository of these tests: after each turn a server looks for what has changed there.
        self._cwd = directory / "cwd"
        home = directory / "home"
        for made in (self._cwd, home):
            made.mkdir(exist_ok=True)
        # A login shell reads the profile that is there: not that of whoever runs the tests.
        own = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        self._env = {**own, "HOME": str(home), **(env or {})}
        if token is not None:
            self._env["SANDBOX_AGENT_TOKEN"] = token
        else:
            self._arguments.append("--no-token")
        self._process: subprocess.Popen[bytes] | ForkedServer | None = None
        self.url = ""
        self.pid = 0

    @property
    def headers(self) -> dict[str, str]:
        return {} if self._token is None else {"authorization": f"Bearer {self._token}"}

    @property
    def token(self) -> str | None:
        return self._token

    def start(self) -> ServerProcess:
        self._ready.unlink(missing_ok=True)
        command = [
            str(Path(sys.executable).with_name("sandbox-agent-server")), "--port", "0",
            "--data-dir", str(self.data_dir), "--config", str(self._config), "--ready-file", str(self._ready),
            *self._arguments,
        ]  # fmt: skip
        with self.log_path.open("ab") as log:
            if self._is_forked and can_fork(self._env):
                self._process = ForkedServer(
                    command, cwd=self._cwd, env=self._env, log=log.fileno()
                )
            else:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._cwd,
                    env=self._env,
                )
        until(lambda: self._ready.exists() or self._process.poll() is not None)
        assert self._ready.exists(), self.log()
        ready = json.loads(self._ready.read_text(encoding="utf-8"))
        self.url, self.pid = ready["url"], ready["pid"]
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a machine that runs out of memory does it."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        try:
            return self._process.wait(DEADLINE_S)
        finally:
            self._process = None

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def memory_mib(self) -> float:
        """Resident set, now."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def peak_memory_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def client(self, timeout: float = DEADLINE_S) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=timeout)

    def create(self, agent: str = "mock", **body: Any) -> str:
        """A session; its id."""
        with self.client() as client:
            answer = client.post("/v1/sessions", json={"agent": agent, **body})
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["id"]
        return session_id

    def prompt(self, session_id: str, text: str, *, wait: bool = True) -> dict[str, Any]:
        with self.client(timeout=110) as client:
            answer = client.post(
                f"/v1/sessions/{session_id}/prompt",
                params={"wait": "true"} if wait else {},
                json={"text": text},
            )
        assert answer.status_code in (200, 202), answer.text
        result: dict[str, Any] = answer.json()
        return result

    def entries(
        self, session_id: str, *, after: int = 0, view: str = "frames"
    ) -> list[dict[str, Any]]:
        """The whole log."""
        found: list[dict[str, Any]] = []
        with self.client() as client:
            while True:
                params: dict[str, Any] = {"after": after, "view": view, "limit": 1000}
                page = client.get(f"/v1/sessions/{session_id}/events", params=params).json()
                found += page["events"]
                after = page["nextCursor"]
                if not page["hasMore"]:
                    return found

    def events(self, session_id: str, *kinds: str) -> list[dict[str, Any]]:
        events = self.entries(session_id, view="universal")
        return [event for event in events if not kinds or event["type"] in kinds]


def until(condition: Any, seconds: float = DEADLINE_S) -> None:
    """Wait for something that tells nobody when it happens."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def sse_items(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """`(id, data)` of each event of a stream."""
    event_id = 0
    for line in lines:
        if line.startswith("id: "):
            event_id = int(line[4:])
        elif line.startswith("data: "):
            yield event_id, json.loads(line[6:])
