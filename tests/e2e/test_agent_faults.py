"""Agents that misbehave, change, or lose their login: each is an event or an error, and the session goes on."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import ServerProcess

MakeServer = Callable[..., ServerProcess]

AGENT = """#!{python}
import json, pathlib, sys

VERSION = "{version}"
print("Welcome to the agent, version", VERSION, flush=True)
print("\\x1b[1mA new version is available!\\x1b[0m", flush=True)

def send(**frame):
    print(json.dumps({{"jsonrpc": "2.0", **frame}}), flush=True)

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            info = {{"name": "x", "version": VERSION}}
            send(id=frame["id"], result={{"protocolVersion": 1, "agentInfo": info}})
        case "session/new":
            send(id=frame["id"], result={{"sessionId": "s"}})
        case "session/prompt":
            text = frame["params"]["prompt"][0]["text"]
            if text == "drift":
                update = {{"sessionUpdate": "hologram_chunk", "content": {{"volume": 3}}}}
                send(method="session/update", params={{"sessionId": "s", "update": update}})
                send(method="agent/telepathy", params={{"strength": 11}})
                send(method="session/update", params={{"sessionId": "s"}})
                print("not JSON at all", flush=True)
                print("[1, 2]", flush=True)
            if text == "login" and not pathlib.Path("logged-in").exists():
                error = {{"code": -32000, "message": "your login has expired"}}
                send(id=frame["id"], error=error)
                continue
            update = {{"sessionUpdate": "agent_message_chunk",
                       "content": {{"type": "text", "text": "I am " + VERSION}}}}
            send(method="session/update", params={{"sessionId": "s", "update": update}})
            send(id=frame["id"], result={{"stopReason": "end_turn"}})
"""


class Program:
    """The agent, as a file that can be replaced while it runs."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "agent"
        self.write("1.0")

    def write(self, version: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(AGENT.format(python=sys.executable, version=version), encoding="utf-8")
        fresh.chmod(fresh.stat().st_mode | stat.S_IXUSR)
        fresh.replace(self.path)

    @property
    def config(self) -> str:
        return f"[agents.odd]\ncommand = {json.dumps([str(self.path)])}\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def server(make_server: MakeServer, program: Program) -> ServerProcess:
    return make_server(config=program.config).start()


def info(server: ServerProcess, session_id: str) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"/v1/sessions/{session_id}").json()
    return found


def said(server: ServerProcess, session_id: str, prompt: str = "who") -> str:
    server.prompt(session_id, prompt)
    text: str = server.events(session_id, "message.completed")[-1]["data"]["content"][0]["text"]
    return text


def test_a_banner_on_stdout_is_kept_counted_and_does_no_harm(server: ServerProcess) -> None:
    session_id = server.create("odd")

    assert said(server, session_id) == "I am 1.0"
    unparsed = server.events(session_id, "agent.unparsed")
    assert "Welcome to the agent" in unparsed[0]["data"]["text"]
    assert unparsed[0]["data"]["reason"]
    assert info(server, session_id)["unparsed"] == len(unparsed) == 2


def test_a_protocol_that_has_moved_on_is_passed_on(server: ServerProcess) -> None:
    session_id = server.create("odd")

    assert said(server, session_id, "drift") == "I am 1.0"
    updates = [event["data"] for event in server.events(session_id, "agent.update")]
    assert "hologram_chunk" in json.dumps(updates)
    assert "agent/telepathy" in json.dumps(updates)
    assert info(server, session_id)["unparsed"] == 4
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "end_turn"


def test_the_count_outlives_the_server(server: ServerProcess) -> None:
    session_id = server.create("odd")
    server.kill()
    server.start()

    assert info(server, session_id)["unparsed"] == 2


def test_an_agent_that_is_replaced_while_it_runs(server: ServerProcess, program: Program) -> None:
    """A running session keeps what it runs; what starts later is the new one."""
    before = server.create("odd")
    program.write("2.0")
    after = server.create("odd")

    assert said(server, before) == "I am 1.0"
    assert said(server, after) == "I am 2.0"
    assert info(server, after)["agentInfo"]["version"] == "2.0"


def test_what_was_asked_of_a_replaced_agent_is_asked_again(
    server: ServerProcess, program: Program
) -> None:
    def version() -> str:
        with server.client() as client:
            config = client.get("/v1/agents/odd", params={"config": "true"}).json()["config"]
        found: str = config["agentInfo"]["version"]
        return found

    assert version() == "1.0"
    program.write("2.0")
    assert version() == "2.0"


def test_an_agent_that_is_removed_is_not_installed_any_more(
    server: ServerProcess, program: Program
) -> None:
    session_id = server.create("odd")
    program.path.unlink()

    assert said(server, session_id) == "I am 1.0"
    with server.client() as client:
        refused = client.post("/v1/sessions", json={"agent": "odd"})
    assert refused.status_code == httpx.codes.NOT_FOUND
    assert refused.json()["type"].endswith("agent_not_installed")


def test_a_login_that_expires_in_a_session_ends_the_turn_and_can_be_renewed(
    server: ServerProcess, tmp_path: Path
) -> None:
    session_id = server.create("odd", cwd=str(tmp_path))
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/prompt"
        refused = client.post(path, params={"wait": "true"}, json={"text": "login"})

    assert refused.json()["type"] == "urn:sandbox-agent:error:agent_auth_required"
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "error"
    assert ended["data"]["error"]["code"] == "agent_auth_required"
    assert "expired" in ended["data"]["error"]["message"]

    (tmp_path / "logged-in").touch()
    assert said(server, session_id, "login") == "I am 1.0"


RAW_AGENT = """#!{python}
import json, sys

def raw(data):
    sys.stdout.buffer.write(data + b"\\n")
    sys.stdout.buffer.flush()

def send(**frame):
    raw(json.dumps({{"jsonrpc": "2.0", **frame}}).encode())

def say(text):
    update = {{"sessionUpdate": "agent_message_chunk", "content": {{"type": "text", "text": text}}}}
    send(method="session/update", params={{"sessionId": "s", "update": update}})

PERMISSION = (b'{{"jsonrpc":"2.0","id":ID,"method":"session/request_permission","params":{{"sessionId":"s",'
    b'"options":[{{"optionId":"yes","name":"Yes","kind":"allow_once"}}],'
    b'"toolCall":{{"toolCallId":"t","title":"ls","rawInput":{{"a":VALUE}}}}}}}}')
VALUES = {{
    "nan": b"NaN", "latin1": b'"caf\\xe9"', "digits": b"9" * 5000, "int": b"9" * 40, "tab": b'"a\\tb"',
    "deep": b"[" * 5000 + b"]" * 5000, "long": b'"' + b"x" * 200_000 + b'"', "cut": b"nope",
}}

def wait():
    return json.loads(sys.stdin.readline())

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            raw(b"\\xef\\xbb\\xbf\\x1b]0;raw agent\\x07" + json.dumps(
                {{"jsonrpc": "2.0", "id": frame["id"], "result": {{"protocolVersion": 1}}}}).encode())
        case "session/new":
            raw(b"starting 10 %\\rstarting 100 %\\r" + json.dumps(
                {{"jsonrpc": "2.0", "id": frame["id"], "result": {{"sessionId": "s"}}}}).encode())
        case "session/prompt":
            what, *rest = frame["params"]["prompt"][0]["text"].split()
            id = b"77"
            if what == "answer":
                result = b'{{"stopReason":"end_turn","_meta":{{"a":' + VALUES[rest[0]] + b"}}}}"
                raw(b'{{"jsonrpc":"2.0","id":' + json.dumps(frame["id"]).encode() + b',"result":' + result + b"}}")
                continue
            if what == "tool":
                raw(b'{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":'
                    b'{{"sessionUpdate":"tool_call","toolCallId":"t","title":"measure"}}}}}}')
                raw(b'{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":'
                    b'{{"sessionUpdate":"tool_call_update","toolCallId":"t","status":"completed",'
                    b'"rawOutput":{{"mean":NaN}}}}}}}}')
            else:
                id = {{"huge-id": b"9" * 40, "text-id": b'"77"'}}.get(what, id)
                raw(PERMISSION.replace(b"ID", id, 1).replace(b"VALUE", VALUES.get(what, b"1")))
                answer = wait()
                assert json.dumps(answer["id"]).encode() == id
                say("error" if "error" in answer else answer["result"]["outcome"]["optionId"])
            send(id=frame["id"], result={{"stopReason": "end_turn"}})
"""


@pytest.fixture(scope="module")
def raw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("raw")
    agent = directory / "agent"
    agent.write_text(RAW_AGENT.format(python=sys.executable), encoding="utf-8")
    agent.chmod(0o755)
    process = ServerProcess(
        directory,
        config=f"[agents.raw]\ncommand = {json.dumps([str(agent)])}\n",
        arguments=["--limit", "max_line_bytes=100000"],
    ).start()
    yield process
    process.stop()


ALLOW = {"default": "allow"}


@pytest.mark.parametrize(
    "what", ["nan", "latin1", "digits", "int", "tab", "huge-id", "text-id", "plain"]
)
def test_a_request_with_odd_values_is_decided(raw_server: ServerProcess, what: str) -> None:
    session_id = raw_server.create("raw", permissionPolicy=ALLOW)
    assert said(raw_server, session_id, what) == "yes"
    assert not raw_server.events(session_id, "error", "agent.unparsed")


@pytest.mark.parametrize("what", ["deep", "long", "cut"])
def test_a_request_that_cannot_be_read_is_refused_and_told(
    raw_server: ServerProcess, what: str
) -> None:
    session_id = raw_server.create("raw", permissionPolicy=ALLOW)
    assert said(raw_server, session_id, what) == "error"
    (unparsed,) = raw_server.events(session_id, "agent.unparsed")
    assert unparsed["data"]["text"].startswith('{"jsonrpc":"2.0","id":77')
    assert unparsed["data"]["rpcId"] == 77
    (error,) = raw_server.events(session_id, "error")
    assert error["data"]["method"] == "session/request_permission"
    # Later ones are heard.
    assert said(raw_server, session_id, "plain") == "yes"


@pytest.mark.parametrize("what", ["deep", "long", "cut"])
def test_a_turn_whose_answer_cannot_be_read_ends_with_an_error(
    raw_server: ServerProcess, what: str
) -> None:
    session_id = raw_server.create("raw", permissionPolicy=ALLOW)
    with raw_server.client() as client:
        path = f"/v1/sessions/{session_id}/prompt"
        client.post(path, params={"wait": "true"}, json={"text": f"answer {what}"})
    (ended,) = raw_server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "error"
    assert "could not be read" in ended["data"]["error"]["message"]
    assert said(raw_server, session_id, "plain") == "yes"


def test_the_end_of_a_tool_is_not_lost_for_a_number_that_is_none(
    raw_server: ServerProcess,
) -> None:
    session_id = raw_server.create("raw")
    raw_server.prompt(session_id, "tool")
    (done,) = raw_server.events(session_id, "tool.completed")
    assert (done["data"]["status"], done["data"]["output"]) == ("completed", {"mean": None})


@pytest.fixture(scope="module")
def odd_starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    programs = {
        "asks": "echo 'Welcome to acme'; printf 'Please log in, enter your code: '; exec sleep 600",
        "dies": "echo 'cannot read the licence file'; echo 'fatal: licence' >&2; exit 3",
    }
    config = "".join(
        f"[agents.{name}]\ncommand = {json.dumps(['/bin/sh', '-c', script])}\n"
        for name, script in programs.items()
    )
    arguments = ["--limit", "agent_start_timeout_s=1", "--limit", "stop_grace_s=0.2"]
    directory = tmp_path_factory.mktemp("odd-starts")
    process = ServerProcess(directory, config=config, arguments=arguments).start()
    yield process
    process.stop()


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/agents/NAME?config=true"])
@pytest.mark.parametrize(
    ("agent", "code", "words"),
    [
        ("asks", "timeout", ["Welcome to acme", "enter your code", "login"]),
        ("dies", "agent_process_exited", ["cannot read the licence file", "fatal: licence"]),
    ],
)
def test_a_start_that_fails_quotes_what_the_program_said(
    odd_starts: ServerProcess, path: str, agent: str, code: str, words: list[str]
) -> None:
    with odd_starts.client() as client:
        if "NAME" in path:
            problem = client.get(path.replace("NAME", agent)).json()["configError"]
        else:
            problem = client.post(path, json={"agent": agent}).json()
    assert problem["type"].endswith(f":{code}"), problem
    for word in words:
        assert word in problem["detail"]
    assert problem["details"]["output"]
