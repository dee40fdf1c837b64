"""`GET /v1/agents?config=true`: what an agent offers is asked of the agent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

MakeServer = Callable[..., ServerProcess]

AGENT = """
import json, pathlib, sys

count = pathlib.Path(sys.argv[1])
count.write_text(str(int(count.read_text() or 0) + 1) if count.exists() else "1")
for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            result = {"protocolVersion": 1, "agentInfo": {"name": "x", "version": "7"}}
        case "session/new":
            if sys.argv[2] == "locked":
                error = {"code": -32000, "message": "log in first"}
                print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "error": error}), flush=True)
                continue
            mode = {"id": "code", "name": "Code"}
            result = {"sessionId": "s", "modes": {"currentModeId": "code", "availableModes": [mode]}}
    print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result}), flush=True)
"""


def agents_config(directory: Path, **kinds: str) -> str:
    script = directory / "agent.py"
    script.write_text(AGENT, encoding="utf-8")
    parts = []
    for name, kind in kinds.items():
        command = json.dumps([sys.executable, str(script), str(directory / f"{name}.count"), kind])
        parts.append(f"[agents.{name}]\ncommand = {command}\n")
    return "".join(parts)


def agent_of(server: ServerProcess, name: str, **query: Any) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"/v1/agents/{name}", params=query).json()
    return found


def test_an_agent_is_asked_once_and_again_only_when_told_to(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(config=agents_config(tmp_path, open="open")).start()
    count = tmp_path / "open.count"

    plain = agent_of(server, "open")
    assert "config" not in plain
    assert not count.exists()

    info = agent_of(server, "open", config="true")
    assert info["config"]["modes"] == [{"id": "code", "name": "Code"}]
    assert info["config"]["agentInfo"]["version"] == "7"
    assert info["permissionModes"] == ["ask", "accept-edits", "read-only", "plan", "bypass"]

    agent_of(server, "open", config="true")
    assert count.read_text(encoding="utf-8") == "1"
    agent_of(server, "open", config="true", no_cache="true")
    assert count.read_text(encoding="utf-8") == "2"


def test_one_that_does_not_answer_spoils_no_listing(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(config=agents_config(tmp_path, locked="locked", open="open")).start()

    with server.client() as client:
        listed = client.get("/v1/agents", params={"config": "true"}).json()["agents"]
    agents = {agent["id"]: agent for agent in listed}

    error = agents["locked"]["configError"]
    assert error["type"] == "urn:sandbox-agent:error:agent_auth_required"
    assert "log in first" in error["detail"]
    assert agents["open"]["config"]["mode"] == "code"
    assert agents["mock"]["config"]["models"][0]["id"] == "mock-fast"


@pytest.mark.real_agent
def test_claude_says_what_it_offers(
    make_server: MakeServer, tmp_path: Path, claude_binary: Path, scripted_llm: ScriptedLLM
) -> None:
    env = claude_env(tmp_path, scripted_llm)
    env["PATH"] = f"{claude_binary.parent}:{env['PATH']}"
    server = make_server(env=env).start()

    config = agent_of(server, "claude", config="true")["config"]

    assert {"default", "acceptEdits", "plan"} <= {mode["id"] for mode in config["modes"]}
    assert config["models"]
    assert scripted_llm.requests == []
