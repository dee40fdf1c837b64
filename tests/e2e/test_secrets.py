"""A key that a session is given is found nowhere afterwards: not on disk, in no log, in no answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess, until

MakeServer = Callable[..., ServerProcess]

KEY = "env-marker-7f3a9c51"
PLAIN = "plain-marker-52e8d0b4"
HEADER = "header-marker-91b6c2aa"
URL_KEY = "url-marker-5d10f3be"
ARGUMENT = "argument-marker-77ac"
PASSWORD = "password-marker-0e9d"
MARKERS = (KEY, PLAIN, HEADER, URL_KEY, ARGUMENT, PASSWORD)

ENV = {
    "SOME_API_KEY": KEY,
    "SOME_SETTING": PLAIN,
    "DATABASE_URL": f"postgres://ada:{PASSWORD}@db/x",
}
MCP_SERVERS = [
    {"type": "http", "name": "docs", "url": f"http://127.0.0.1:9/mcp?api_key={URL_KEY}",
     "headers": [{"name": "Authorization", "value": f"Bearer {HEADER}"}]},
    {"name": "tool", "command": sys.executable, "args": ["-c", "", "--token", ARGUMENT],
     "env": [{"name": "TOOL_TOKEN", "value": HEADER}]},
]  # fmt: skip

# It tells all that it knows, wherever something can be told.
AGENT = """
import json, os, sys

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

def update(**members):
    send(method="session/update", params={"sessionId": "s", "update": members})

key, plain = os.environ["SOME_API_KEY"], os.environ["SOME_SETTING"]
servers = "nothing yet"
print(f"banner: {key} {plain}", flush=True)
print(f"stderr: {key} {plain}", file=sys.stderr, flush=True)
for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1, "agentInfo": {"name": key}})
        case "session/new":
            servers = json.dumps(frame["params"]["mcpServers"])
            if "bad-start" in sys.argv:
                send(id=frame["id"], error={"code": 1, "message": f"{key} {plain} {servers}"})
            else:
                send(id=frame["id"], result={"sessionId": "s"})
        case "session/prompt":
            update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": key})
            for letter in key:
                update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": letter})
            escaped = "".join(f"\\\\u{ord(letter):04x}" for letter in key)
            print('{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{'
                  '"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"' + escaped + '"}}}}')
            update(sessionUpdate="agent_message_chunk", content={"type": "text",
                   "text": os.environ["DATABASE_URL"] + servers})
            update(sessionUpdate="tool_call", toolCallId="t", title=key, rawInput={key: servers})
            update(sessionUpdate="tool_call_update", toolCallId="t", status="completed",
                   rawOutput={"environment": f"SOME_API_KEY={key}"})
            update(sessionUpdate="never_heard_of", more=[key])
            if frame["params"]["prompt"][-1]["text"] == "die":
                print(f"last words: {key} {plain} {servers}", file=sys.stderr, flush=True)
                os._exit(3)
            send(id=frame["id"], error={"code": -32603, "message": f"failed with {key} {plain}",
                                        "data": {"servers": servers, "plain": plain}})
"""


@pytest.fixture
def telling(make_server: MakeServer, tmp_path: Path) -> ServerProcess:
    script = tmp_path / "telling.py"
    script.write_text(AGENT, encoding="utf-8")
    commands = {
        "telling": [sys.executable, str(script)],
        "failing": [sys.executable, str(script), "bad-start"],
        "missing": [str(tmp_path / "no-such-program")],
    }
    config = "".join(
        f"[agents.{name}]\ncommand = {json.dumps(argv)}\n" for name, argv in commands.items()
    )
    return make_server(config=config, arguments=["--log-level", "debug"]).start()


def answers(server: ServerProcess) -> dict[str, str]:
    """Everything that the API says, by its path."""
    with server.client() as client:
        ids = [session["id"] for session in client.get("/v1/sessions").json()["sessions"]]
        paths = ["/v1/sessions", "/v1/agents"]
        for session_id in ids:
            session = f"/v1/sessions/{session_id}"
            paths += [
                session, f"{session}/transcript", f"{session}/requests?status=all",
                *(f"{session}/events?view={view}&limit=1000" for view in ("frames", "universal")),
            ]  # fmt: skip
        return {path: client.get(path).text for path in paths}


def assert_nowhere(server: ServerProcess, markers: tuple[str, ...] = MARKERS) -> None:
    """Looks while the server runs and, for what it writes at its end, after that."""
    seen = answers(server)
    server.stop()
    seen["server.log"] = server.log()
    for file in server.data_dir.rglob("*"):
        if file.is_file():
            seen[str(file)] = file.read_bytes().decode("utf-8", "replace")
    assert any(path.endswith(".db") for path in seen)
    found = {
        (place, marker) for place, text in seen.items() for marker in markers if marker in text
    }
    assert found == set()


def prompt(server: ServerProcess, session_id: str, text: str) -> str:
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/prompt?wait=true"
        return client.post(path, json={"text": text}).text


def test_what_an_agent_tells_about_its_keys_is_masked_everywhere(telling: ServerProcess) -> None:
    session_id = telling.create("telling", env=ENV, mcpServers=MCP_SERVERS)
    shown = prompt(telling, session_id, "work") + prompt(telling, session_id, "die")
    until(lambda: telling.events(session_id, "agent.exited"))

    assert "failed with *** ***" in shown
    assert "last words: *** ***" in shown
    assert not any(marker in shown for marker in MARKERS)
    (exited,) = telling.events(session_id, "agent.exited")
    assert "stderr: *** ***" in exited["data"]["stderrTail"]
    kinds = {event["type"] for event in telling.events(session_id)}
    assert kinds >= {"message.completed", "tool.completed", "agent.unparsed", "turn.ended"}
    assert_nowhere(telling)


@pytest.mark.parametrize("agent", ["failing", "missing"])
def test_an_agent_that_does_not_start_says_why_without_the_keys(
    telling: ServerProcess, agent: str
) -> None:
    body = {"agent": agent, "env": ENV, "mcpServers": MCP_SERVERS}
    with telling.client() as client:
        answer = client.post("/v1/sessions", json=body)
    assert answer.status_code in (404, 502)
    assert not any(marker in answer.text for marker in MARKERS)
    telling.create("mock")
    assert_nowhere(telling)


def test_a_body_that_is_refused_is_not_repeated(telling: ServerProcess) -> None:
    bodies: list[dict[str, Any]] = [
        {"agent": "telling", "env": {**ENV, "A=B": KEY}},
        {"agent": "telling", "env": {"SOME_API_KEY": [KEY]}},
        {"agent": "telling", "env": KEY},
        {"agent": "telling", "env": {"SOME_API_KEY": f"{KEY}\0"}},
        {"agent": "telling", "env": ENV, "baseUrl": f"https://me:{KEY}@gateway.example"},
        {"agent": "telling", "env": ENV, "mcpServers": HEADER},
        {"agent": "nobody", "env": ENV},
    ]
    with telling.client() as client:
        for body in bodies:
            answer = client.post("/v1/sessions", json=body)
            assert answer.status_code == 400, body
            assert not any(marker in answer.text for marker in MARKERS), body
    telling.create("mock")
    assert_nowhere(telling)


def test_keys_given_again_after_a_restart_are_masked_too(telling: ServerProcess) -> None:
    session_id = telling.create("telling", env=ENV, mcpServers=MCP_SERVERS)
    telling.stop()
    telling.start()
    with telling.client() as client:
        body = {"env": ENV, "mcpServers": MCP_SERVERS}
        resumed = client.post(f"/v1/sessions/{session_id}/resume", json=body)
    assert resumed.status_code == 200, resumed.text
    assert "failed with ***" in prompt(telling, session_id, "work")
    assert_nowhere(telling)


def test_a_better_key_reaches_an_agent_that_runs_and_one_at_work_is_left_alone(
    telling: ServerProcess,
) -> None:
    session_id = telling.create("telling", env=ENV)
    path = f"/v1/sessions/{session_id}/resume"
    other = "another-marker-40aa17ce"
    with telling.client() as client:
        assert client.post(path, json={"env": ENV}).status_code == 200
        assert telling.events(session_id, "agent.exited") == []
        assert client.post(path, json={"env": {"SOME_SETTING": other}}).status_code == 200
        (exited,) = telling.events(session_id, "agent.exited")
        assert exited["data"]["expected"] is True
        assert "failed with *** ***" in prompt(telling, session_id, "work")

        mock = telling.create("mock")
        telling.prompt(mock, "slow 30", wait=False)
        refused = client.post(f"/v1/sessions/{mock}/resume", json={"env": ENV})
        assert refused.json()["type"] == "urn:sandbox-agent:error:conflict"
        assert client.post(f"/v1/sessions/{mock}/cancel", json={}).json()["cancelled"]
    assert_nowhere(telling, (*MARKERS, other))


@pytest.mark.real_agent
def test_claude_leaves_no_key_behind(
    make_server: MakeServer, claude_binary: Path, scripted_llm: ScriptedLLM, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    config = f"[agents.claude]\ncommand = {json.dumps([str(claude_binary)])}\n"
    server = make_server(config=config, arguments=["--log-level", "debug"]).start()
    key = f"sk-ant-api03-{KEY}"
    env = claude_env(home, scripted_llm) | {"ANTHROPIC_API_KEY": key, "SOME_SETTING": PLAIN}
    session_id = server.create(
        "claude", cwd=str(tmp_path), env=env, mcpServers=MCP_SERVERS, mode="bypass"
    )
    server.prompt(session_id, "SCENARIO:tool SHELL<<env; echo told>>")
    prompt(server, session_id, "SCENARIO:http401")

    assert any(request.headers.get("x-api-key") == key for request in scripted_llm.requests)
    (told,) = server.events(session_id, "tool.completed")
    assert "ANTHROPIC_API_KEY=***" in json.dumps(told["data"])
    assert_nowhere(server, (KEY, HEADER))
