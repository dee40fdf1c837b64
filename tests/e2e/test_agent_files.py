"""An agent that asks the client for files (ACP `fs/*`) is served in its workspace and refused outside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.server import ServerProcess, until

AGENT = """
import json, sys

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            send(id=frame["id"], result={"sessionId": "reading"})
        case "session/prompt":
            prompt = frame["id"]
            wanted = json.loads(frame["params"]["prompt"][0]["text"])
            send(id=0, method=wanted["method"], params={"sessionId": "reading", **wanted["params"]})
        case None:
            text = {"type": "text", "text": json.dumps(frame.get("result", frame.get("error")))}
            update = {"sessionUpdate": "agent_message_chunk", "content": text}
            send(method="session/update", params={"sessionId": "reading", "update": update})
            send(id=prompt, result={"stopReason": "end_turn"})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    script = directory / "reading.py"
    script.write_text(AGENT, encoding="utf-8")
    command = json.dumps([sys.executable, str(script)])
    process = ServerProcess(
        directory,
        config=f"[agents.reading]\ncommand = {command}\n",
        arguments=["--limit", "max_file_bytes=1024"],
    ).start()
    yield process
    process.stop()


def asked(server: ServerProcess, session_id: str, method: str, **params: Any) -> dict[str, Any]:
    """What the agent was answered."""
    before = len(server.events(session_id, "turn.ended"))
    server.prompt(session_id, json.dumps({"method": method, "params": params}))
    until(lambda: len(server.events(session_id, "turn.ended")) > before)
    said = server.events(session_id, "message.completed")[-1]["data"]["content"][0]["text"]
    answer: dict[str, Any] = json.loads(said)
    return answer


def test_files_of_the_workspace_are_written_and_read(server: ServerProcess, tmp_path: Path) -> None:
    session_id = server.create("reading", cwd=str(tmp_path))
    path = str(tmp_path / "a.txt")

    assert asked(server, session_id, "fs/write_text_file", path=path, content="hello") == {}
    assert asked(server, session_id, "fs/read_text_file", path=path) == {"content": "hello"}
    assert server.events(session_id, "error") == []


def test_a_file_outside_is_refused_and_everybody_sees_it(
    server: ServerProcess, tmp_path: Path
) -> None:
    session_id = server.create("reading", cwd=str(tmp_path))

    refusal = asked(server, session_id, "fs/read_text_file", path="/etc/passwd")

    assert refusal["code"] == -32602
    assert refusal["data"]["type"] == "urn:sandbox-agent:error:permission_denied"
    (error,) = server.events(session_id, "error")
    assert error["data"]["code"] == "permission_denied"
    assert error["data"]["data"]["path"] == "/etc/passwd"
    assert "outside the workspace" in error["data"]["message"]


def test_limits_and_modes_hold(server: ServerProcess, tmp_path: Path) -> None:
    session_id = server.create("reading", cwd=str(tmp_path), mode="read-only")
    path = str(tmp_path / "a.txt")

    missing = asked(server, session_id, "fs/read_text_file", path=path)
    forbidden = asked(server, session_id, "fs/write_text_file", path=path, content="x")
    (tmp_path / "a.txt").write_text("x" * 1025, encoding="utf-8")
    large = asked(server, session_id, "fs/read_text_file", path=path)

    assert missing["code"] == -32002
    assert "read-only" in forbidden["message"]
    assert "max_file_bytes" in large["message"]
