"""An agent of a registry file, added by the command line and used by a session of a server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox_agent_client import SandboxAgentSync
from support.fixtures import make_server
from support.server import DEADLINE_S, ServerProcess

__all__ = ["make_server"]

MOCK = f'#!/bin/sh\nexec "{sys.executable}" -m sandbox_agent_server.agents.mock --plain "$@"\n'


def test_an_agent_of_a_registry_file_runs_a_session(
    make_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(MOCK, encoding="utf-8")
    binary = {"archive": str(program), "cmd": "mine"}
    systems = ("linux-x86_64", "linux-aarch64", "darwin-x86_64", "darwin-aarch64")
    distribution = {"binary": dict.fromkeys(systems, binary)}
    entry = {"id": "mine", "name": "My Agent", "version": "1.0.0", "distribution": distribution}
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(entry), encoding="utf-8")
    agents = str(tmp_path / "agents")
    command = [sys.executable, "-m", "sandbox_agent_server", "agents", "add", str(file)]
    server = make_server(arguments=["--agents-dir", agents]).start()

    # While it runs: a session that comes later knows the agent.
    subprocess.run([*command, "--yes", "--agents-dir", agents], check=True, timeout=DEADLINE_S)

    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        (listed,) = [agent for agent in client.list_agents() if agent.id == "mine"]
        session = client.create_session("mine", cwd=str(tmp_path))
        result = session.prompt("hello")
        session.end()
    assert (listed.title, listed.installed) == ("My Agent", True)
    assert result.stop_reason == "end_turn"
