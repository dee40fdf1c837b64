"""Three ways to the same agent program: bare, through the peer's npm adapter, through our server.

Each is started cold, asked for a session and prompted. What is taken is the time to the first word of
the model, and the memory of all that is not the agent's own program.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .process_memory import MIB, read_memory

__all__ = ["AgentPath", "Bare", "PeerAdapter", "Sample", "ThroughOurServer"]

PROMPT = "SCENARIO:text"
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    first_word_s: float
    """From asking for a session to the first piece of the answer."""
    adapter_pss_mib: float
    """Of the adapter's processes, the agent's own program left out; for us, what a session adds to the server."""


class AgentPath(ABC):
    """One way to one agent. `binary` is the agent's program, `env` all that it needs."""

    def __init__(self, agent: str, binary: Path, env: Mapping[str, str]) -> None:
        self.agent = agent
        self.binary = binary
        self.env = dict(env)

    @abstractmethod
    def sample(self) -> Sample: ...


class _Lines:
    """A program that is spoken to in JSON lines."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            list(command), env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                yield message
        raise RuntimeError("the agent ended before it answered")

    def answer_to(self, id: int) -> dict[str, Any]:
        message = next(each for each in self.read() if each.get("id") == id)
        if "error" in message:
            raise RuntimeError(f"refused: {message['error']}")
        result: dict[str, Any] = message["result"]
        return result

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Bare(AgentPath):
    """The agent's own protocol, spoken as sparingly as it can be."""

    def sample(self) -> Sample:
        with tempfile.TemporaryDirectory() as cwd:
            started = time.monotonic()
            lines = _Lines(self._command(), self.env, Path(cwd))
            try:
                {"claude": _say_to_claude, "codex": _say_to_codex}[self.agent](lines, cwd)
                return Sample(time.monotonic() - started, 0.0)
            finally:
                lines.close()

    def _command(self) -> list[str]:
        if self.agent == "codex":
            return [str(self.binary), "app-server", *codex_overrides(self.env)]
        flags = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        return [str(self.binary), "-p", *flags, "--include-partial-messages"]


def codex_overrides(env: Mapping[str, str]) -> list[str]:
    """Codex takes a model endpoint by configuration only."""
    provider = "model_providers.scripted"
    settings = {
        "model_provider": "scripted",
        f"{provider}.name": "scripted",
        f"{provider}.base_url": env["OPENAI_BASE_URL"],
        f"{provider}.env_key": "OPENAI_API_KEY",
        f"{provider}.wire_api": "responses",
    }
    pairs = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
    return [part for pair in [*pairs, "features.plugins=false"] for part in ("-c", pair)]


def _say_to_claude(lines: _Lines, _cwd: str) -> None:
    content = [{"type": "text", "text": PROMPT}]
    lines.write({"type": "user", "message": {"role": "user", "content": content}})
    for message in lines.read():
        if message.get("event", {}).get("type") == "content_block_delta":
            return


def _say_to_codex(lines: _Lines, cwd: str) -> None:
    client = {"name": "benchmark", "title": "benchmark", "version": "1"}
    lines.write({"id": 1, "method": "initialize", "params": {"clientInfo": client}})
    lines.answer_to(1)
    lines.write({"method": "initialized"})
    lines.write({"id": 2, "method": "thread/start", "params": {"cwd": cwd}})
    thread = lines.answer_to(2)["thread"]["id"]
    content = [{"type": "text", "text": PROMPT}]
    params = {"threadId": thread, "input": content}
    lines.write({"id": 3, "method": "turn/start", "params": params})
    for message in lines.read():
        if message.get("method") == "item/agentMessage/delta":
            return


class PeerAdapter(AgentPath):
    """The npm package alone, without the peer's own server in front of it."""

    def __init__(
        self, agent: str, binary: Path, env: Mapping[str, str], *, adapter: Path, node: str
    ) -> None:
        own = {"claude": "CLAUDE_CODE_EXECUTABLE", "codex": "CODEX_PATH"}[agent]
        super().__init__(agent, binary, {**env, own: str(binary)})
        self._command = [node, str(adapter)]

    def sample(self) -> Sample:
        with tempfile.TemporaryDirectory() as cwd:
            if self.agent == "codex":
                _write_codex_config(self.env)
            started = time.monotonic()
            lines = _Lines(self._command, self.env, Path(cwd))
            try:
                _say_over_acp(lines, cwd)
                elapsed = time.monotonic() - started
                return Sample(elapsed, _memory_without(lines.process.pid, self.binary))
            finally:
                lines.close()


def _write_codex_config(env: Mapping[str, str]) -> None:
    pairs = codex_overrides(env)[1::2]
    folder = Path(env["HOME"], ".codex")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text("\n".join(pairs) + "\n", encoding="utf-8")


def _say_over_acp(lines: _Lines, cwd: str) -> None:
    def ask(id: int, method: str, params: Mapping[str, Any]) -> None:
        lines.write({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    ask(1, "initialize", {"protocolVersion": 1, "clientCapabilities": {}})
    lines.answer_to(1)
    ask(2, "session/new", {"cwd": cwd, "mcpServers": []})
    session = lines.answer_to(2)["sessionId"]
    content = [{"type": "text", "text": PROMPT}]
    ask(3, "session/prompt", {"sessionId": session, "prompt": content})
    for message in lines.read():
        update = message.get("params", {}).get("update", {})
        if update.get("sessionUpdate") == "agent_message_chunk":
            return


def _memory_without(pid: int, binary: Path) -> float:
    """Proportional set size in MiB of a process tree, without the processes that run `binary`."""
    total, pending = 0, [pid]
    real = binary.resolve()
    while pending:
        current = pending.pop()
        try:
            children = Path(f"/proc/{current}/task/{current}/children").read_text(encoding="ascii")
            pending += map(int, children.split())
            if Path(f"/proc/{current}/exe").resolve() != real:
                total += read_memory(current).pss_bytes
        except (OSError, ValueError):
            continue  # gone meanwhile
    return total / MIB


class ThroughOurServer(AgentPath):
    """`POST /v1/sessions`, a prompt, and the stream: all that a client of ours waits for."""

    def __init__(
        self, agent: str, binary: Path, env: Mapping[str, str], *, port: int, pid: int, token: str
    ) -> None:
        path = f"{binary.parent}:{env['PATH']}"
        super().__init__(agent, binary, {**env, "PATH": path})
        self._port = port
        self._pid = pid
        self._token = token
        self.options: dict[str, Any] = {"env": self.env}

    def sample(self) -> Sample:
        before = read_memory(self._pid).pss_bytes
        cwd = tempfile.mkdtemp()
        started = time.monotonic()
        session = self._post("/v1/sessions", {"agent": self.agent, "cwd": cwd, **self.options})
        prompt = self._post(f"/v1/sessions/{session['id']}/prompt", {"text": PROMPT})
        self._wait_for_word(session["id"], prompt["seq"])
        elapsed = time.monotonic() - started
        added = (read_memory(self._pid).pss_bytes - before) / MIB
        self._request("DELETE", f"/v1/sessions/{session['id']}")
        shutil.rmtree(cwd, ignore_errors=True)
        return Sample(elapsed, added)

    def _wait_for_word(self, session_id: str, after: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        connection.request(
            "GET", f"/v1/sessions/{session_id}/events?after={after}", headers=headers
        )
        response = connection.getresponse()
        while b'"message.delta"' not in response.readline():
            pass
        connection.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._request("POST", path, json.dumps(body)))
        return answer

    def _request(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        payload = response.read()
        connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {payload[:300]!r}")
        return payload
