"""A sandbox that runs out of memory, for real: who was killed, and that it is said to be the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_client import AgentExited, SandboxAgent
from sandbox_agent_client.errors import AgentProcessExited
from sandbox_agent_core.spi.provider import SandboxRef
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.machine import ContainerMachine
from support.docker_fixtures import docker_tests

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment", "server_image")]

AGENT = """
import json, sys

RESULTS = {
    "initialize": {"protocolVersion": 1, "agentCapabilities": {}},
    "session/new": {"sessionId": "one"},
}
for line in sys.stdin:
    frame = json.loads(line)
    if frame.get("method") == "session/prompt":
        eaten = []
        while True:
            eaten.append(bytearray(b"x" * 1_000_000))
    result = RESULTS.get(frame.get("method"), {})
    print(json.dumps({"jsonrpc": "2.0", "id": frame.get("id"), "result": result}), flush=True)
"""
CONFIG = """
[agents.hungry]
command = ["python3", "/agent/agent.py"]
"""


async def test_an_agent_and_a_server_that_were_killed_for_memory_say_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "config.toml").write_text(CONFIG)
    provider = DockerProvider(mounts={tmp_path: "/agent:ro"}, memory="200m")
    env = {"SANDBOX_AGENT_CONFIG": "/agent/config.toml"}
    async with SandboxAgent.start(provider, env=env) as client:
        session = await client.create_session("hungry")
        with pytest.raises(AgentProcessExited, match="out of memory") as caught:
            await session.prompt("eat")
        assert "200 MB" in caught.value.message
        exits = [event async for event in session.events() if isinstance(event, AgentExited)]
        assert [(one.reason, one.memory_limit_bytes) for one in exits] == [
            ("out_of_memory", 200 * 1024 * 1024)
        ]
        # The server lives on. Without it, its log says what happened in the sandbox.
        assert client.sandbox is not None
        ref = SandboxRef.from_json(client.sandbox.ref.to_json())
        assert "out of memory" not in await provider.logs(ref)
        machine = ContainerMachine(Daemon(find_daemon), ref.id)
        await machine.run("kill -9 $(cat /var/lib/.sandbox-agent/pid)", timeout_s=30)
        last = (await provider.logs(ref)).splitlines()[-1]
        assert "out of memory" in last
        assert "memory: 200 MB" in last
