"""The sessions API as its users use it, over HTTP against the real server."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from sandbox_agent_core.inspector import find_inspector
from support.server import TOKEN, ServerProcess, sse_items, until
from websockets.sync.client import connect as connect_websocket

PROGRAM = Path(sys.executable).with_name("sandbox-agent-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("server"), arguments=["--limit", "heartbeat_s=0.2"]
    ).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def session_id(server: ServerProcess) -> Iterator[str]:
    made = server.create()
    yield made
    with server.client() as connected:
        connected.delete(f"/v1/sessions/{made}")


def pending(client: httpx.Client, session_id: str) -> dict[str, Any]:
    """The one request that waits."""
    path = f"/v1/sessions/{session_id}/requests"
    until(lambda: client.get(path).json()["requests"])
    (request,) = client.get(path).json()["requests"]
    found: dict[str, Any] = request
    return found


# Life


def test_a_session_is_what_was_asked_for(client: httpx.Client, tmp_path: Path) -> None:
    body = {
        "agent": "mock", "id": "my.session-1", "cwd": str(tmp_path), "mode": "plan",
        "model": "mock-smart", "metadata": {"ticket": 7},
    }  # fmt: skip
    made = client.post("/v1/sessions", json=body)
    assert made.status_code == 201
    info = made.json()
    assert {key: info[key] for key in body} == body
    assert (info["status"], info["continuity"], info["pendingRequests"]) == ("idle", "fresh", 0)
    assert client.get("/v1/sessions/my.session-1").json()["metadata"] == {"ticket": 7}
    assert client.delete("/v1/sessions/my.session-1").status_code == 204
    assert client.delete("/v1/sessions/my.session-1").status_code == 204
    assert client.get("/v1/sessions/my.session-1").json()["status"] == "ended"


def test_sessions_are_listed_newest_first_in_pages(make_server: Any) -> None:
    server = make_server().start()
    ids = [server.create() for _ in range(5)]
    with server.client() as client:
        first = client.get("/v1/sessions?limit=3").json()
        rest = client.get(f"/v1/sessions?limit=3&cursor={first['nextCursor']}").json()
    assert [info["id"] for info in first["sessions"] + rest["sessions"]] == ids[::-1]
    assert "nextCursor" not in rest


def test_a_patch_switches_and_says_so_in_the_log(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    body = {
        "mode": "plan", "model": "mock-smart", "thoughtLevel": "high",
        "permissionPolicy": {"default": "deny"}, "metadata": {"a": [1]},
    }  # fmt: skip
    info = client.patch(f"/v1/sessions/{session_id}", json=body).json()
    assert (info["mode"], info["model"], info["thoughtLevel"]) == ("plan", "mock-smart", "high")
    assert info["permissionPolicy"]["default"] == "deny"
    kinds = {event["type"] for event in server.events(session_id)}
    assert {"mode.changed", "config.changed"} <= kinds


def test_an_ended_session_can_be_opened_again(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    server.prompt(session_id, "text")
    client.delete(f"/v1/sessions/{session_id}")
    info = client.post(f"/v1/sessions/{session_id}/resume").json()
    assert info["status"] == "idle"
    assert server.prompt(session_id, "text")["stopReason"] == "end_turn"


def test_after_a_restart_settings_are_there_and_applied_again(make_server: Any) -> None:
    server = make_server().start()
    session_id = server.create(mode="plan", model="mock-smart", metadata={"a": 1})
    server.prompt(session_id, "text")
    before = server.entries(session_id)
    server.stop()
    server.start()
    with server.client() as client:
        info = client.get(f"/v1/sessions/{session_id}").json()
        assert (info["status"], info["mode"], info["metadata"]) == ("dormant", "plan", {"a": 1})
        server.prompt(session_id, "text")
        info = client.get(f"/v1/sessions/{session_id}").json()
    assert (info["mode"], info["model"], info["status"]) == ("plan", "mock-smart", "idle")
    assert server.entries(session_id)[: len(before)] == before


# Turns


def test_turns_run_in_order(server: ServerProcess, client: httpx.Client, session_id: str) -> None:
    path = f"/v1/sessions/{session_id}/prompt"
    accepted = [client.post(path, json={"text": f"stream {n} 5"}).json() for n in (20, 2, 3)]
    assert [answer["position"] for answer in accepted] == [0, 1, 2]
    until(lambda: len(server.events(session_id, "turn.ended")) == 3)
    order = server.events(session_id, "turn.started", "turn.ended")
    assert [event["type"] for event in order] == ["turn.started", "turn.ended"] * 3
    assert [event["turnId"] for event in order[::2]] == [turn["turnId"] for turn in accepted]
    assert accepted[0]["seq"] < order[0]["seq"]


def test_a_cancel_stops_the_running_and_the_queued(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}"
    turns = [
        client.post(f"{path}/prompt", json={"text": "slow 60"}).json()["turnId"] for _ in range(3)
    ]
    only = client.post(f"{path}/cancel", json={"turnId": turns[1]}).json()
    assert only["cancelled"] == [turns[1]]
    assert client.post(f"{path}/cancel").json()["cancelled"] == [turns[0], turns[2]]
    until(lambda: server.events(session_id, "turn.ended"))
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "cancelled"
    assert len(server.events(session_id, "turn.dropped")) == 2
    assert server.prompt(session_id, "text")["stopReason"] == "end_turn"


def test_an_agent_that_ignores_a_cancel_is_stopped(make_server: Any) -> None:
    server = make_server(arguments=["--limit", "cancel_grace_s=0.3"]).start()
    session_id = server.create()
    server.prompt(session_id, "hang", wait=False)
    with server.client() as client:
        client.post(f"/v1/sessions/{session_id}/cancel")
    until(lambda: server.events(session_id, "turn.ended"))
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "cancelled"
    assert server.prompt(session_id, "text")["stopReason"] == "end_turn"


SCENARIOS = [
    "text", "reasoning", "tool", "edit", "terminal", "plan", "usage", "substeps", "stream 5",
    "burst 50x10", "error", "refusal", "max-tokens", "garbage", "late", "unknown", "crash",
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_ends_once_and_folds_the_same_with_and_without_deltas(
    server: ServerProcess, client: httpx.Client, session_id: str, scenario: str
) -> None:
    client.post(
        f"/v1/sessions/{session_id}/prompt", params={"wait": "true"}, json={"text": scenario}
    )
    events = server.events(session_id)
    assert [event["type"] for event in events].count("turn.ended") == 1
    open_tools = {
        event["data"]["toolCallId"] for event in events if event["type"].startswith("tool.")
    } - {event["data"]["toolCallId"] for event in events if event["type"] == "tool.completed"}
    assert open_tools == set()
    text = "".join(e["data"]["text"] for e in events if e["type"] == "message.delta")
    whole = "".join(e["data"]["text"] for e in events if e["type"] == "message.completed")
    assert text == whole
    page = client.get(f"/v1/sessions/{session_id}/events?deltas=false&limit=1000").json()
    assert page["events"] == [event for event in events if not event["type"].endswith(".delta")]


# Events


def test_both_views_share_one_cursor(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    server.prompt(session_id, "tool")
    frames = {entry["seq"]: entry for entry in server.entries(session_id)}
    assert list(frames) == list(range(1, len(frames) + 1))
    for event in server.events(session_id):
        assert frames[event["seq"]]["time"] == event["time"]
    middle = len(frames) // 2
    assert [entry["seq"] for entry in server.entries(session_id, after=middle)] == list(
        range(middle + 1, len(frames) + 1)
    )


@pytest.mark.parametrize("view", ["universal", "frames"])
def test_a_stream_is_the_pages_and_then_goes_on(
    server: ServerProcess, client: httpx.Client, session_id: str, view: str
) -> None:
    server.prompt(session_id, "text")
    known = server.entries(session_id, view=view)
    path = f"/v1/sessions/{session_id}/events?view={view}"
    seen = []
    with client.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
        items = sse_items(stream.iter_lines())
        seen = [next(items)[1] for _ in known]
        server.prompt(session_id, "text")
        seen.append(next(items)[1])
    assert seen[:-1] == known
    assert seen[-1]["seq"] > known[-1]["seq"]


def test_silence_is_filled_with_heartbeats(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}/events?after=999999"
    with client.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert sum(next(lines) == ": heartbeat" for _ in range(8)) >= 2
    url = server.url.replace("http", "ws", 1) + f"/v1/sessions/{session_id}/ws?after=999999"
    with connect_websocket(url, additional_headers=server.headers) as websocket:
        assert json.loads(websocket.recv(timeout=10)) == {"type": "heartbeat"}


def test_a_websocket_watches_and_steers(server: ServerProcess, session_id: str) -> None:
    url = server.url.replace("http", "ws", 1) + f"/v1/sessions/{session_id}/ws"
    with connect_websocket(url, additional_headers=server.headers) as websocket:

        def until_message(kind: str, event_type: str | None = None) -> dict[str, Any]:
            while True:
                message = json.loads(websocket.recv(timeout=10))
                if message["type"] != kind:
                    continue
                if event_type is None or message["event"]["type"] == event_type:
                    return message if event_type is None else message["event"]

        websocket.send(json.dumps({"type": "set", "id": 1, "model": "mock-smart"}))
        assert until_message("result")["result"]["model"] == "mock-smart"
        websocket.send(json.dumps({"type": "prompt", "id": 2, "text": "permission"}))
        request = until_message("event", "permission.requested")["data"]
        answer = {"type": "respond", "id": 3, "requestId": request["requestId"], "reply": "once"}
        websocket.send(json.dumps(answer))
        assert until_message("event", "turn.ended")["data"]["stopReason"] == "end_turn"


def test_the_transcript_is_the_fold(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    server.prompt(session_id, "text please")
    transcript = client.get(f"/v1/sessions/{session_id}/transcript").json()
    (turn,) = transcript["turns"]
    assert turn["stopReason"] == "end_turn"
    assert "text please" in json.dumps(turn["prompt"])
    assert any(item["type"] == "message" for item in turn["items"])


# Permissions and questions


@pytest.mark.parametrize(
    ("answer", "option_kind"),
    [({"reply": "once"}, "allow_once"), ({"reply": "always"}, "allow_always"),
     ({"reply": "reject"}, "reject_once"), ({"optionId": "allow-once"}, "allow_once")],
)  # fmt: skip
def test_a_permission_is_answered_by_kind_or_by_option(
    server: ServerProcess,
    client: httpx.Client,
    session_id: str,
    answer: dict[str, str],
    option_kind: str,
) -> None:
    server.prompt(session_id, "permission", wait=False)
    request = pending(client, session_id)
    assert client.get(f"/v1/sessions/{session_id}").json()["status"] == "waiting"
    path = f"/v1/sessions/{session_id}/requests/{request['id']}"
    resolution = client.post(path, json={**answer, "actor": "ada"}).json()
    assert (resolution["optionKind"], resolution["decidedBy"]) == (option_kind, "user")
    until(lambda: server.events(session_id, "turn.ended"))
    (listed,) = client.get(f"/v1/sessions/{session_id}/requests?status=all").json()["requests"]
    assert listed["resolution"]["actor"] == "ada"
    ran = server.events(session_id, "tool.completed")[-1]["data"]["status"] == "completed"
    assert ran is option_kind.startswith("allow")


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_question_is_answered_or_declined(
    server: ServerProcess, client: httpx.Client, session_id: str, is_answered: bool
) -> None:
    server.prompt(session_id, "question", wait=False)
    request = pending(client, session_id)
    first = request["questions"][0]
    answers = {first["id"]: first["options"][0]["label"]}
    body: dict[str, Any] = {"answers": answers} if is_answered else {"decline": True}
    path = f"/v1/sessions/{session_id}/requests/{request['id']}"
    outcome = client.post(path, json=body).json()["outcome"]
    assert outcome == ("answered" if is_answered else "declined")
    until(lambda: server.events(session_id, "turn.ended"))


@pytest.mark.parametrize(
    ("rule", "kind"),
    [({"action": "allow", "toolKind": "execute"}, "allow_once"),
     ({"action": "deny", "toolKind": "execute"}, "reject_once"),
     ({"action": "deny", "command": "touch *"}, "reject_once"),
     ({"action": "allow", "command": "touch *", "name": "touching"}, "allow_once")],
)  # fmt: skip
def test_a_rule_decides_and_is_recorded(
    server: ServerProcess, client: httpx.Client, rule: dict[str, str], kind: str
) -> None:
    session_id = server.create(permissionPolicy={"rules": [rule]})
    assert server.prompt(session_id, "permission")["stopReason"] == "end_turn"
    (resolved,) = server.events(session_id, "permission.resolved")
    data = resolved["data"]
    assert (data["decidedBy"], data["optionKind"]) == ("policy", kind)
    assert data["rule"] == rule.get("name", "rule 1")


def test_a_permission_that_nobody_answers_is_denied_at_its_deadline(
    server: ServerProcess, client: httpx.Client
) -> None:
    session_id = server.create(permissionPolicy={"timeoutS": 0.2})
    assert server.prompt(session_id, "permission")["stopReason"] == "end_turn"
    (resolved,) = server.events(session_id, "permission.resolved")
    assert resolved["data"]["decidedBy"] == "timeout"
    assert resolved["data"]["optionKind"] == "reject_once"


def test_a_cancel_answers_the_open_permission(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    server.prompt(session_id, "permission", wait=False)
    request = pending(client, session_id)
    client.post(f"/v1/sessions/{session_id}/cancel")
    until(lambda: server.events(session_id, "turn.ended"))
    (resolved,) = server.events(session_id, "permission.resolved")
    assert (resolved["data"]["outcome"], resolved["data"]["decidedBy"]) == ("cancelled", "cancel")
    path = f"/v1/sessions/{session_id}/requests/{request['id']}"
    assert client.post(path, json={"reply": "once"}).status_code == 409


# Secrets


def test_keys_reach_the_agent_and_nothing_else(make_server: Callable[..., ServerProcess]) -> None:
    agent = (
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    m = json.loads(line)\n"
        "    r = {'protocolVersion': 1}\n"
        "    if m['method'] == 'session/new':\n"
        "        seen = os.environ.get('MY_KEY', ''), m['params']['mcpServers'][0]['env'][0]['value']\n"
        "        r = {'sessionId': str([len(s) for s in seen])}\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': r}), flush=True)\n"
    )
    command = json.dumps([sys.executable, "-c", agent])
    server = make_server(config=f"[agents.nosy]\ncommand = {command}\n").start()
    env_key, mcp_key = "key-of-the-session-1234", "key-of-the-mcp-server-5"
    mcp = {
        "name": "m",
        "command": "/bin/true",
        "args": [],
        "env": [{"name": "K", "value": mcp_key}],
    }
    with server.client() as client:
        body = {"agent": "nosy", "env": {"MY_KEY": env_key}, "mcpServers": [mcp]}
        info = client.post("/v1/sessions", json=body).json()
    assert info["agentSessionId"] == str([len(env_key), len(mcp_key)])
    shown = json.dumps(server.entries(info["id"]))
    server.stop()
    stored = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())
    for secret in (env_key, mcp_key, TOKEN):
        assert secret not in shown
        assert secret.encode() not in stored
        assert secret not in server.log()


@pytest.mark.parametrize("arguments", [[], ["--no-inherit-env"]])
def test_the_server_keeps_its_variables_from_agents(
    make_server: Callable[..., ServerProcess], arguments: list[str]
) -> None:
    agent = (
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    m = json.loads(line)\n"
        "    r = {'sessionId': ','.join(sorted(os.environ))}\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': r}), flush=True)\n"
    )
    command = json.dumps([sys.executable, "-c", agent])
    server = make_server(
        config=f"[agents.nosy]\ncommand = {command}\n",
        env={"MY_CLOUD_PASSWORD": "x"},
        arguments=arguments,
    ).start()
    with server.client() as client:
        info = client.get(f"/v1/sessions/{server.create('nosy')}").json()
    names = info["agentSessionId"].split(",")
    assert "PATH" in names
    assert ("MY_CLOUD_PASSWORD" in names) == (not arguments)
    assert not any(name.startswith("SANDBOX_AGENT_") for name in names)


# The server


def test_every_route_is_described(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    validate(document)
    assert set(document["paths"]) >= {
        "/v1/health", "/v1/agents", "/v1/sessions", "/v1/sessions/{session_id}",
        "/v1/sessions/{session_id}/prompt", "/v1/sessions/{session_id}/events",
        "/v1/sessions/{session_id}/ws", "/v1/sessions/{session_id}/requests/{request_id}",
    }  # fmt: skip
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
    health = client.get("/v1/health").json()
    assert document["info"]["version"] == health["version"]
    assert health["uptimeS"] > 0
    assert health["inspector"] is (find_inspector() is not None)


def test_agents_say_whether_they_are_there(client: httpx.Client) -> None:
    agents = {agent["id"]: agent for agent in client.get("/v1/agents").json()["agents"]}
    assert agents["mock"]["installed"]
    assert agents["claude"]["installed"] or agents["claude"]["installHint"]
    mock = client.get("/v1/agents/mock").json()
    # The others of this module have sessions with it.
    assert {**mock, "serverStatus": None} == {**agents["mock"], "serverStatus": None}


def run_server(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def first_lines(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    text = ""
    while "  logs " not in text:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        text += line
    return text


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_token_is_made_when_none_is_given_and_shown_once(tmp_path: Path) -> None:
    process = run_server("--port", "0", "--data-dir", tmp_path)
    text = first_lines(process)
    url = text.split("url")[1].split()[0]
    token = text.split("token")[1].split()[0]
    assert str(tmp_path) in text
    assert httpx.get(f"{url}/v1/agents").status_code == 401
    answer = httpx.get(f"{url}/v1/health", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    stop(process)


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'host = "127.0.0.3"\nlog_level = "debug"\n[limits]\nmax_queued_turns = 0\n',
        encoding="utf-8",
    )
    process = run_server(
        "--port", "0", "--no-token", "--data-dir", tmp_path / "data", "--config", config,
        env={"SANDBOX_AGENT_HOST": "127.0.0.2", "SANDBOX_AGENT_TOKEN": "of-the-environment"},
    )  # fmt: skip
    text = first_lines(process)
    assert "http://127.0.0.2:" in text
    assert "token      none" in text
    stop(process)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--port", "70000"], "port"), (["--no-token", "--host", "0.0.0.0"], "--insecure"),
     (["--token", "short"], "token"), (["--config", "/nowhere.toml"], "/nowhere.toml"),
     (["--limit", "max_sessions=0"], "max_sessions")],
)  # fmt: skip
def test_a_wrong_setting_is_named(arguments: list[str], word: str) -> None:
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_or_a_log_in_use_is_a_sentence(server: ServerProcess, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    for arguments in (
        ["--port", port, "--data-dir", str(tmp_path)],
        ["--port", "0", "--data-dir", str(server.data_dir)],
    ):
        done = subprocess.run(
            [PROGRAM, "--no-token", *arguments], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 1
        assert ("--port" in done.stderr) or ("--data-dir" in done.stderr)
        assert "Traceback" not in done.stderr


def test_the_log_and_the_ready_file_are_private(make_server: Any) -> None:
    server = make_server().start()
    database = server.data_dir / "sandbox-agent.db"
    ready = server.data_dir.parent / "ready.json"
    for path in (database, ready):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in ready.read_text(encoding="utf-8")


def test_a_server_leaves_with_the_program_that_started_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    code = (
        "import subprocess, sys, pathlib, time\n"
        f"subprocess.Popen([{str(PROGRAM)!r}, '--port', '0', '--no-token', '--exit-with-parent',"
        f" '--data-dir', {str(tmp_path / 'data')!r}, '--ready-file', {str(ready)!r}],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): time.sleep(0.01)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    pid = json.loads(ready.read_text(encoding="utf-8"))["pid"]
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_system_prompt_is_said_once_to_an_agent_that_takes_none(server: ServerProcess) -> None:
    session_id = server.create("mock", systemPrompt="Answer in French.")
    server.prompt(session_id, "text one")
    server.prompt(session_id, "text two")
    prompts = [
        [block["text"] for block in entry["payload"]["params"]["prompt"]]
        for entry in server.entries(session_id)
        if entry["payload"].get("method") == "session/prompt"
    ]
    (instructions, first), second = prompts
    assert "Answer in French." in instructions
    assert (first, second) == ("text one", ["text two"])
    started = server.events(session_id, "turn.started")
    assert [event["data"]["text"] for event in started] == ["text one", "text two"]
