"""The two servers behind one face: start, open a session on the burst agent, prompt, watch, stop."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .process_memory import Memory, cpu_seconds, read_memory
from .stream_reader import Job, StreamResult

TOKEN = "benchmark-token-0123456789"
AGENT_COMMAND = (sys.executable, "-E", "-S", str(Path(__file__).with_name("burst_agent.py")))
REPOSITORY = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 30
REQUEST_TIMEOUT_S = 120


class BenchmarkError(Exception):
    """A server did not do what a row needs; the message says which and what came instead."""


@dataclass(slots=True)
class Session:
    server: Server
    id: str
    agent_session_id: str = ""
    request_count: int = 10

    def stream_path(self) -> str:
        return self.server.stream_path(self)

    def prompt(self, text: str) -> PendingResponse:
        """Send the prompt; the answer is read when asked for, so that nothing waits for it."""
        return self.server.send_prompt(self, text)


class PendingResponse:
    def __init__(self, connection: http.client.HTTPConnection, sent_s: float) -> None:
        self._connection = connection
        self.sent_s = sent_s

    def finish(self) -> Any:
        response = self._connection.getresponse()
        payload = response.read()
        self._connection.close()
        if response.status >= 400:
            raise BenchmarkError(f"answered {response.status}: {payload[:300]!r}")
        return json.loads(payload) if payload else None


class Server(ABC):
    """A server process in a home of its own. Use it as a context manager."""

    name: str

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"benchmark-{self.name}-"))
        self.workspace = self.home / "workspace"
        """Of sessions. Nothing changes in it, while in its home a server writes its log."""
        self.workspace.mkdir()
        self.port = _free_port()
        self.listening_after_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._session_count = 0

    @abstractmethod
    def prepare(self) -> None: ...

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def open_session(self) -> Session: ...

    @abstractmethod
    def stream_path(self, session: Session) -> str: ...

    @abstractmethod
    def send_prompt(self, session: Session, text: str) -> PendingResponse: ...

    @abstractmethod
    def replay(self, session: Session) -> tuple[str, dict[str, str]]:
        """Path and headers of a stream from the very first event on."""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def memory(self) -> Memory:
        return read_memory(self.pid)

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.pid)

    def __enter__(self) -> Server:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "SANDBOX_AGENT_TOKEN": TOKEN,
        }
        started = time.monotonic()
        with (self.home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                list(self.command()),
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() - started > START_TIMEOUT_S:
                log_text = (self.home / "server.log").read_text(encoding="utf-8")
                raise BenchmarkError(f"{self.name} did not start: {log_text[-1500:]}")
            time.sleep(0.002)
        self.listening_after_s = time.monotonic() - started

    def _is_healthy(self) -> bool:
        try:
            self.call("GET", "/v1/health")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def close(self) -> None:
        """Stop the server and every agent that it left behind, and remove its home."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        # Its own process group: agents that outlived the server end here.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None

    def send(self, method: str, path: str, body: Any = None) -> PendingResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)
        headers = {"authorization": f"Bearer {TOKEN}"}
        payload = None
        if body is not None:
            headers["content-type"] = "application/json"
            payload = json.dumps(body)
        connection.connect()
        sent_s = time.monotonic()
        connection.request(method, path, payload, headers)
        return PendingResponse(connection, sent_s)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.send(method, path, body).finish()

    def next_id(self) -> str:
        self._session_count += 1
        return f"bench-{self._session_count}"

    @contextmanager
    def reader(self, session: Session, **job: Any) -> Iterator[StreamReading]:
        """A reader that is already connected; `results()` waits for the last event."""
        headers = {"Authorization": f"Bearer {TOKEN}", **job.pop("headers", {})}
        path = job.pop("path", None) or session.stream_path()
        reading = StreamReading(Job(port=self.port, path=path, headers=headers, **job))
        try:
            yield reading
        finally:
            reading.close()


class StreamReading:
    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stream_reader"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        self._read_line("ready")

    def results(self) -> list[StreamResult]:
        return [StreamResult(**fields) for fields in json.loads(self._read_line())]

    def _read_line(self, expected: str | None = None) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line or (expected and line != expected):
            raise BenchmarkError(f"the stream reader said {line!r}")
        return line

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


class OurServer(Server):
    name = "ours"

    def prepare(self) -> None:
        command = json.dumps(list(AGENT_COMMAND))  # a JSON list of strings is a TOML one, too
        config = f"[agents.burst]\ncommand = {command}\n\n[limits]\nmax_sessions = 1000\n"
        (self.home / "config.toml").write_text(config, encoding="utf-8")

    def command(self) -> Sequence[str]:
        server = [sys.executable, "-m", "sandbox_agent_server", "--port", str(self.port)]
        files = ["--config", str(self.home / "config.toml"), "--data-dir", str(self.home / "data")]
        return [*server, *files]

    def open_session(self, *, agent: str = "burst") -> Session:
        body = {"agent": agent, "cwd": str(self.workspace)}
        return Session(self, self.call("POST", "/v1/sessions", body)["id"])

    def stream_path(self, session: Session) -> str:
        return f"/v1/sessions/{session.id}/events?view=frames"

    def send_prompt(self, session: Session, text: str) -> PendingResponse:
        return self.send("POST", f"/v1/sessions/{session.id}/prompt", {"text": text})

    def replay(self, session: Session) -> tuple[str, dict[str, str]]:
        return f"{self.stream_path(session)}&after=0", {}


class AcpOverHttp(Server):
    """Sessions at `/v1/acp`, which both servers have."""

    acp_agent: str

    def open_session(self) -> Session:
        session = Session(self, self.next_id())
        self._acp(session, "initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        created = self._acp(session, "session/new", {"cwd": str(self.workspace), "mcpServers": []})
        session.agent_session_id = created["result"]["sessionId"]
        return session

    def stream_path(self, session: Session) -> str:
        return f"/v1/acp/{session.id}"

    def send_prompt(self, session: Session, text: str) -> PendingResponse:
        prompt = [{"type": "text", "text": text}]
        params = {"sessionId": session.agent_session_id, "prompt": prompt}
        return self._send_acp(session, "session/prompt", params)

    def replay(self, session: Session) -> tuple[str, dict[str, str]]:
        # It refuses 0; the answers to `initialize` and `session/new` are 1 and 2.
        return self.stream_path(session), {"Last-Event-ID": "2"}

    def _acp(self, session: Session, method: str, params: Any) -> Any:
        return self._send_acp(session, method, params).finish()

    def _send_acp(self, session: Session, method: str, params: Any) -> PendingResponse:
        session.request_count += 1
        request = {"jsonrpc": "2.0", "id": session.request_count, "method": method}
        path = f"/v1/acp/{session.id}?agent={self.acp_agent}"
        return self.send("POST", path, {**request, "params": params})


class OurServerOverAcp(AcpOverHttp, OurServer):
    acp_agent = "burst"

    def open_session(self, *, agent: str = "burst") -> Session:
        return AcpOverHttp.open_session(self)


class PeerServer(AcpOverHttp):
    name = "peer"
    acp_agent = "mock"

    def __init__(self, binary: Path) -> None:
        super().__init__()
        self._binary = binary

    def prepare(self) -> None:
        folder = self.home / ".local/share/sandbox-agent/bin/agent_processes"
        folder.mkdir(parents=True)
        launcher = folder / "mock-acp"
        launcher.write_text(f"#!/bin/sh\nexec {' '.join(AGENT_COMMAND)}\n", encoding="utf-8")
        launcher.chmod(0o755)

    def command(self) -> Sequence[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [str(self._binary), "server", *where, "--token", TOKEN, "--no-telemetry"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
