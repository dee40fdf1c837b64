"""Rules, limits and deadlines decide permissions, shown with an agent that asks whatever it is told to ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import ServerProcess, until

MakeServer = Callable[..., ServerProcess]

AGENT = """
import json, sys

OPTIONS = [{"optionId": kind, "name": kind, "kind": kind} for kind in ("allow_once", "reject_once")]

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            send(id=frame["id"], result={"sessionId": "asking"})
        case "session/prompt":
            prompt, chosen = frame["id"], {}
            script = json.loads(frame["params"]["prompt"][0]["text"])
            for update in script.get("updates", []):
                send(method="session/update", params={"sessionId": "asking", "update": update})
            for number, call in enumerate(script["ask"]):
                params = {"toolCall": call, "options": script.get("options", OPTIONS)}
                send(id=number, method="session/request_permission", params=params)
            for number in script.get("withdraw", []):
                send(method="$/cancel_request", params={"requestId": number})
        case None:
            outcome = frame["result"]["outcome"]
            chosen[frame["id"]] = outcome.get("optionId", outcome["outcome"])
            if len(chosen) == len(script["ask"]) - len(script.get("withdraw", [])):
                told = [chosen[number] for number in sorted(chosen)]
                text = {"type": "text", "text": json.dumps(told)}
                update = {"sessionUpdate": "agent_message_chunk", "content": text}
                send(method="session/update", params={"sessionId": "asking", "update": update})
                send(id=prompt, result={"stopReason": "end_turn"})
"""
SHELL = {"toolCallId": "t", "kind": "execute", "rawInput": {"command": "git status"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    script = directory / "asking.py"
    script.write_text(AGENT, encoding="utf-8")
    command = json.dumps([sys.executable, str(script)])
    process = ServerProcess(
        directory,
        config=f"[agents.asking]\ncommand = {command}\n",
        arguments=["--limit", "max_pending_requests=2"],
    ).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def session_id(server: ServerProcess, client: httpx.Client) -> Iterator[str]:
    """One that denies what no rule decides."""
    made = server.create("asking", permissionPolicy={"default": "deny"})
    yield made
    client.delete(f"/v1/sessions/{made}")


def chosen(server: ServerProcess, session_id: str) -> list[str]:
    """What the agent was told in its last turn."""
    until(lambda: server.events(session_id, "turn.ended"))
    told: list[str] = json.loads(
        server.events(session_id, "message.completed")[-1]["data"]["content"][0]["text"]
    )
    return told


def ask(server: ServerProcess, session_id: str, *calls: dict[str, Any], **script: Any) -> list[str]:
    server.prompt(session_id, json.dumps({"ask": calls, **script}))
    return chosen(server, session_id)


def pending(client: httpx.Client, session_id: str, count: int) -> list[dict[str, Any]]:
    path = f"/v1/sessions/{session_id}/requests"
    until(lambda: len(client.get(path).json()["requests"]) == count)
    found: list[dict[str, Any]] = client.get(path).json()["requests"]
    return found


def call(**fields: Any) -> dict[str, Any]:
    return {"toolCallId": "t", **fields}


def at(*paths: str) -> dict[str, Any]:
    return call(kind="edit", locations=[{"path": path} for path in paths])


@pytest.mark.parametrize(
    ("rule", "asked", "is_allowed"),
    [
        ({"toolKind": "execute"}, SHELL, True),
        ({"toolKind": "read"}, SHELL, False),
        ({"toolName": "Ba*"}, call(name="Bash"), True),
        ({"toolName": "Ba*"}, call(title="Bash"), False),
        ({"command": "git *"}, SHELL, True),
        ({"command": "git *"}, call(rawInput={"cmd": ["git", "log"]}), True),
        ({"command": "git *"}, call(rawInput={"command": "git status; rm -rf /"}), False),
        ({"command": "git *"}, call(rawInput={"command": "git log | sh"}), False),
        ({"command": "git *"}, call(rawInput={"command": "git $(id)"}), False),
        ({"command": "git a; b"}, call(rawInput={"command": "git a; b"}), True),
        ({"toolKind": "execute", "command": "ls*"}, SHELL, False),
        ({"path": "src/*"}, at("src/a.py", "{cwd}/src/deep/b.py"), True),
        ({"path": "src/*"}, at("src/a.py", "secret.py"), False),
        ({"path": "src/*"}, at("src/../../outside.py"), False),
        ({"path": "{cwd}/*"}, at("{cwd}/../etc/passwd"), False),
        ({"path": "{cwd}/*"}, at("a", "./b/../c"), True),
        ({"path": "src/*"}, call(rawInput={"file_path": "src/a"}), True),
        ({"path": "*"}, call(kind="edit"), False),
    ],
)
def test_an_allow_rule_lets_through_what_it_names_and_no_more(
    server: ServerProcess,
    client: httpx.Client,
    tmp_path: Path,
    rule: dict[str, str],
    asked: dict[str, Any],
    is_allowed: bool,
) -> None:
    def filled(value: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(value).replace("{cwd}", str(tmp_path)))
        return found

    policy = {"rules": [{"action": "allow", **filled(rule)}], "default": "deny"}
    session_id = server.create("asking", cwd=str(tmp_path), permissionPolicy=policy)
    assert ask(server, session_id, filled(asked)) == ["allow_once" if is_allowed else "reject_once"]
    (resolved,) = server.events(session_id, "permission.resolved")
    assert resolved["data"]["decidedBy"] == "policy"
    assert resolved["data"]["rule"] == ("rule 1" if is_allowed else "default")
    client.delete(f"/v1/sessions/{session_id}")


def test_the_first_rule_that_applies_decides(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    rules = [
        {"action": "deny", "path": "*.lock", "name": "locks"},
        {"action": "allow", "toolKind": "edit"},
        {"action": "ask", "command": "git push*"},
        {"action": "allow", "toolKind": "execute"},
    ]
    policy = {"rules": rules, "default": "deny", "timeoutS": 3600}
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": policy})
    push = call(kind="execute", rawInput={"command": "git push"})
    script = {"ask": [at("a.py", "uv.lock"), at("a.py"), SHELL, push]}
    server.prompt(session_id, json.dumps(script), wait=False)
    (request,) = pending(client, session_id, 1)
    assert request["toolCall"] == push
    client.post(f"/v1/sessions/{session_id}/requests/{request['id']}", json={"reply": "reject"})
    assert chosen(server, session_id) == ["reject_once", "allow_once", "allow_once", "reject_once"]
    by = [event["data"].get("rule") for event in server.events(session_id, "permission.resolved")]
    assert by == ["locks", "rule 2", "rule 4", None]


def test_a_rule_sees_what_the_agent_told_of_the_tool_call_before(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    policy = {"rules": [{"action": "deny", "command": "git *"}], "default": "allow"}
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": policy})
    started = {"sessionUpdate": "tool_call", "title": "git status", "status": "pending", **SHELL}
    bare = {"toolCallId": "t", "title": "Run it?", "rawInput": None}
    assert ask(server, session_id, bare, updates=[started]) == ["reject_once"]


@pytest.mark.parametrize("kinds", [[], ["allow_once"], ["allow_always"], ["something_new"]])
def test_a_denial_never_allows_whatever_is_offered(
    server: ServerProcess, session_id: str, kinds: list[str]
) -> None:
    options = [{"optionId": kind, "name": kind, "kind": kind} for kind in kinds]
    assert ask(server, session_id, SHELL, options=options) == ["cancelled"]
    (resolved,) = server.events(session_id, "permission.resolved")
    assert (resolved["data"]["outcome"], resolved["data"]["decidedBy"]) == ("cancelled", "policy")


def test_always_takes_once_when_that_is_all_there_is(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": {"default": "ask"}})
    server.prompt(session_id, json.dumps({"ask": [SHELL]}), wait=False)
    (request,) = pending(client, session_id, 1)
    path = f"/v1/sessions/{session_id}/requests/{request['id']}"
    resolution = client.post(path, json={"reply": "always"}).json()
    assert (resolution["optionKind"], resolution["reply"]) == ("allow_once", "always")
    assert chosen(server, session_id) == ["allow_once"]


def test_more_requests_than_may_wait_are_denied_at_once(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": {"default": "ask"}})
    server.prompt(session_id, json.dumps({"ask": [SHELL, SHELL, SHELL]}), wait=False)
    first, second = pending(client, session_id, 2)
    (denied,) = server.events(session_id, "permission.resolved")
    assert (denied["data"]["decidedBy"], denied["data"]["optionKind"]) == ("policy", "reject_once")
    assert "max_pending_requests" in denied["data"]["rule"]
    for request in (second, first):
        path = f"/v1/sessions/{session_id}/requests/{request['id']}"
        assert client.post(path, json={"reply": "once"}).status_code == 200
    assert chosen(server, session_id) == ["allow_once", "allow_once", "reject_once"]


def test_what_the_agent_withdraws_is_closed_and_not_answered(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": {"default": "ask"}})
    server.prompt(session_id, json.dumps({"ask": [SHELL, SHELL], "withdraw": [0]}), wait=False)
    until(lambda: server.events(session_id, "permission.resolved"))
    (request,) = pending(client, session_id, 1)
    client.post(f"/v1/sessions/{session_id}/requests/{request['id']}", json={"reply": "once"})
    assert chosen(server, session_id) == ["allow_once"]
    withdrawn, answered = server.events(session_id, "permission.resolved")
    assert (withdrawn["data"]["outcome"], withdrawn["data"]["decidedBy"]) == ("cancelled", "cancel")
    assert answered["data"]["requestId"] == request["id"]


@pytest.mark.parametrize(("on_timeout", "told"), [("deny", "reject_once"), ("allow", "allow_once")])
def test_the_deadline_decides_as_the_policy_says(
    server: ServerProcess, client: httpx.Client, session_id: str, on_timeout: str, told: str
) -> None:
    policy = {"default": "ask", "timeoutS": 0.05, "onTimeout": on_timeout}
    client.patch(f"/v1/sessions/{session_id}", json={"permissionPolicy": policy})
    assert ask(server, session_id, SHELL) == [told]
    (asked,) = server.events(session_id, "permission.requested")
    (resolved,) = server.events(session_id, "permission.resolved")
    assert asked["data"]["default"] == on_timeout
    assert resolved["data"]["decidedBy"] == "timeout"


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("ask", ["reject_once", "reject_once"]),
        ("accept-edits", ["allow_once", "reject_once"]),
        ("read-only", ["reject_once", "reject_once"]),
        ("plan", ["reject_once", "reject_once"]),
        ("bypass", ["allow_once", "allow_once"]),
    ],
)
def test_a_permission_mode_holds_for_an_agent_that_has_none(
    server: ServerProcess, client: httpx.Client, session_id: str, mode: str, told: list[str]
) -> None:
    info = client.patch(f"/v1/sessions/{session_id}", json={"mode": mode}).json()

    assert info["permissionMode"] == mode
    assert ask(server, session_id, at("a.py"), SHELL) == told
    (changed,) = server.events(session_id, "permission_mode.changed")
    assert changed["data"] == {"permissionMode": mode}
    if mode not in ("ask", "accept-edits"):
        rules = {
            event["data"]["rule"] for event in server.events(session_id, "permission.resolved")
        }
        assert rules == {f"mode {mode}"}


def test_a_permission_mode_is_there_again_after_a_restart(make_server: MakeServer) -> None:
    server = make_server().start()
    session_id = server.create("mock", mode="read-only")
    server.stop()
    server.start()

    server.prompt(session_id, "permission")

    (resolved,) = server.events(session_id, "permission.resolved")
    assert resolved["data"]["rule"] == "mode read-only"
    with server.client() as client:
        assert client.get(f"/v1/sessions/{session_id}").json()["permissionMode"] == "read-only"
