"""Our client with the server of sandbox-agent 0.4.2 (Rust): what that has works, what it lacks is said by a typed error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, errors
from support.agents import installed_binary, load_pins
from support.optional import skip_without
from support.ports import free_port
from support.server import until

TOKEN = "token-of-the-peer"


@dataclass(frozen=True, slots=True)
class Peer:
    url: str
    directory: Path

    def client(self) -> SandboxAgent:
        return SandboxAgent.connect(self.url, token=TOKEN)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    pin = load_pins()["peer"]
    binary = installed_binary(pin)
    if binary is None:
        skip_without(f"{pin.spec} is not installed: scripts/install_test_agents.py")
    home = tmp_path_factory.mktemp("peer")
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [binary, "server", "--token", TOKEN, "--no-telemetry", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]],
        cwd=home, env={"HOME": str(home), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: _answers(url) or process.poll() is not None)
        yield Peer(url, home)
    finally:
        # It has no shutdown of its own on SIGTERM either.
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


async def test_health_and_agents(peer: Peer) -> None:
    async with peer.client() as client:
        health = await client.health()
        assert (health.status, health.version) == ("ok", None)
        agents = {agent.id: agent for agent in await client.list_agents()}
        assert agents["mock"].capabilities is not None
        assert agents["mock"].capabilities.streaming_deltas
        with pytest.raises(errors.UnsupportedAgent) as caught:
            await client.get_agent("nope")
        assert caught.value.details == {"agent": "nope"}


async def test_a_wrong_token_is_refused(peer: Peer) -> None:
    with pytest.raises(errors.TokenInvalid):
        await SandboxAgent.connect(peer.url, token="another-token")


async def test_files(peer: Peer) -> None:
    folder = peer.directory / "files"
    async with peer.client() as client:
        await client.fs.write(f"{folder}/a", b"\0one")
        assert await client.fs.read(f"{folder}/a") == b"\0one"
        assert (await client.fs.stat(f"{folder}/a")).size == 4
        await client.fs.mkdir(f"{folder}/d")
        await client.fs.move(f"{folder}/a", f"{folder}/d/b")
        assert [entry.name for entry in await client.fs.list(f"{folder}/d")] == ["b"]
        await client.fs.remove(f"{folder}/d", recursive=True)
        with pytest.raises(errors.InvalidRequest, match="not found"):
            await client.fs.stat(f"{folder}/d")
    assert list(folder.iterdir()) == []


async def test_commands_and_processes(peer: Peer) -> None:
    async with peer.client() as client:
        done = await client.processes.run("echo ä; echo err >&2; exit 3", cwd=peer.directory)
        assert (done.exit_code, done.stdout, done.stderr) == (3, "ä\n", "err\n")
        with pytest.raises(errors.SandboxAgentError):
            await client.processes.run(["no-such-program"])
        process = await client.processes.spawn(["cat"])
        await process.write("hello\n")
        assert process.id in [one.id for one in await client.processes.list()]
        await process.kill()
        await process.delete()


async def test_configuration(peer: Peer) -> None:
    directory = peer.directory / "config"
    directory.mkdir()
    async with peer.client() as client:
        await client.config.mcp.set(directory, "files", {"type": "local", "command": "true"})
        assert (await client.config.mcp.get(directory, "files")).command == "true"
        await client.config.mcp.delete(directory, "files")
        with pytest.raises(errors.NotFound):
            await client.config.mcp.get(directory, "files")


async def test_what_it_does_not_serve_is_said(peer: Peer) -> None:
    async with peer.client() as client:
        for call in (client.create_session("mock"), client.list_sessions(), client.list_tokens()):
            with pytest.raises(errors.NotServed, match="does not serve"):
                await call
