"""A session as a Temporal activity, with a real server: it outlives its worker, and its sandbox does not outlive it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sandbox_agent_client import SandboxAgent, SandboxAgentError, SandboxRef, SqliteTranscriptStore
from sandbox_agent_client.persistence import read_transcript
from sandbox_agent_client.sandboxes.local import LocalProvider
from support.optional import skip_without
from support.ports import free_port
from support.server import DEADLINE_S, until
from support.temporal import FOLDER, installed_temporal

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "temporal"
HEARTBEAT_S = 2.0
T = TypeVar("T")


class Temporal:
    """A server, workers for it, and its own program to ask it with."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.store = directory / "sessions.db"
        self._program = program
        self._directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []
        self._env = {
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FOLDER),
            "SANDBOX_AGENT_DATA_DIR": str(directory / "data"),
            "SESSIONS": str(self.store),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        }

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        options = ["--ip", "127.0.0.1", "--port", port, "--headless", "--log-level", "error"]
        self._run(self._program, "server", "start-dev", *options, *_NO_CONFIGURATION)
        until(lambda: self.ask("operator", "cluster", "health").returncode == 0)

    def worker(self) -> subprocess.Popen[bytes]:
        return self._run(sys.executable, EXAMPLE / "worker.py", self.address)

    def begin(self, id: str, prompt: str) -> None:
        task = json.dumps({"prompt": prompt, "heartbeat_s": HEARTBEAT_S})
        what = ["--type", "AgentTask", "--task-queue", "agents", "--workflow-id", id]
        begun = self.ask("workflow", "start", *what, "--input", task)
        assert begun.returncode == 0, begun.stderr

    def result(self, id: str) -> Any:
        done = self.ask("workflow", "result", "--workflow-id", id, "--output", "json")
        return json.loads(done.stdout)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, *words, "--address", self.address, *_NO_CONFIGURATION],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(DEADLINE_S)

    def _run(self, *command: object) -> subprocess.Popen[bytes]:
        with (self._directory / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self._directory,
                env=self._env,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process


_NO_CONFIGURATION = ["--disable-config-file", "--disable-config-env"]


@pytest.fixture
def temporal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Temporal]:
    program = installed_temporal()
    if program is None:
        skip_without("Temporal is not installed: python scripts/install_test_tools.py")
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path / "data"))
    made = Temporal(program, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


async def when(look: Callable[[], Awaitable[T | None]]) -> T:
    async with asyncio.timeout(60):
        while True:
            if (found := await look()) is not None:
                return found
            await asyncio.sleep(0.05)


async def its_sandbox() -> SandboxRef | None:
    """Once its server listens."""
    for info in await LocalProvider().list():
        try:
            await LocalProvider().endpoint(info.ref)
        except SandboxAgentError:
            return None
        return info.ref
    return None


@pytest.mark.slow
async def test_a_task_outlives_its_worker_and_a_sandbox_not_its_task(temporal: Temporal) -> None:
    first = temporal.worker()
    temporal.begin("outlives", "slow 2")
    ref = await when(its_sandbox)
    async with SandboxAgent.start("local", ref=ref) as client:

        async def its_turn() -> Any:
            turns = [turn for one in await client.list_sessions() for turn in await one.turns()]
            return turns[0] if turns else None

        turn = await when(its_turn)
        first.kill()
        (session,) = await client.list_sessions()
        # It ends while there is no worker.
        assert (await session.turn(turn.id).result()).stop_reason == "end_turn"
    temporal.worker()
    told = await asyncio.to_thread(temporal.result, "outlives")
    assert told["status"] == "COMPLETED"
    assert told["result"]["session_id"] == session.id
    assert (told["result"]["turn_id"], told["result"]["stop_reason"]) == (turn.id, "end_turn")
    assert await LocalProvider().list() == []
    store = SqliteTranscriptStore(temporal.store)
    try:
        transcript = await read_transcript(store, session.id)
    finally:
        await store.close()
    assert [one.id for one in transcript.turns if one.prompt] == [turn.id]
    assert transcript.turns[-1].stop_reason == "end_turn"

    temporal.begin("cancelled", "slow 600")
    await when(its_sandbox)
    await asyncio.to_thread(temporal.ask, "workflow", "cancel", "--workflow-id", "cancelled")
    told = await asyncio.to_thread(temporal.result, "cancelled")
    assert told["status"] == "CANCELED"
    assert await LocalProvider().list() == []
