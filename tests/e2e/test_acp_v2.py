"""Version 2 of ACP on `/acp`, in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.acp_wire import WORKSPACE, AcpSocket, text_of
from support.server import ServerProcess

Message = dict[str, Any]
HELLO: Message = {"protocolVersion": 2, "info": {"name": "t", "version": "0"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("server"), env={"SANDBOX_AGENT_ACP_V2": "1"}
    ).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


@pytest.fixture
def socket(server: ServerProcess) -> Iterator[AcpSocket]:
    with AcpSocket.connected(server, hello=HELLO) as socket:
        yield socket


def state_of(message: Message) -> Any:
    return message.get("params", {}).get("update", {}).get("state")


def until_state(socket: AcpSocket, wanted: str) -> Message:
    while state_of(message := socket.next()) != wanted:
        pass
    update: Message = message["params"]["update"]
    return update


def test_who_greets_must_say_who_it_is_unless_its_version_is_unknown(
    server: ServerProcess,
) -> None:
    with AcpSocket.connected(server, hello=None) as socket:
        assert socket.ask("initialize", protocolVersion=2)["error"]["code"] == -32602
        assert socket.ask("initialize", protocolVersion=3)["result"]["protocolVersion"] == 2


def test_both_versions_follow_one_session_and_the_first_answer_counts(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    with AcpSocket.connected(server) as older:
        older.ask("session/resume", sessionId=session_id, cwd=WORKSPACE, mcpServers=[])
        prompt = socket.prompt(session_id, "permission")
        turn_id = socket.answer_to(prompt)["result"]["messageId"]
        mine = socket.asked("session/request_permission")
        theirs = older.asked("session/request_permission")
        assert mine["params"]["subject"]["toolCall"] == theirs["params"]["toolCall"]
        option = next(
            one["optionId"] for one in theirs["params"]["options"] if one["kind"] == "allow_once"
        )
        chosen = {"outcome": {"outcome": "selected", "optionId": option}}
        older.send({"jsonrpc": "2.0", "id": theirs["id"], "result": chosen})
        assert socket.asked("$/cancel_request")["params"] == {"requestId": mine["id"]}
        assert until_state(socket, "idle")["stopReason"] == "end_turn"
        assert server.events(session_id, "turn.ended")[-1]["turnId"] == turn_id


def test_an_open_permission_is_asked_anew_of_who_resumes(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    socket.prompt(session_id, "permission")
    socket.asked("session/request_permission")
    with AcpSocket.connected(server, hello=HELLO) as other:
        answer = other.ask("session/resume", sessionId=session_id, cwd=WORKSPACE)
        (state,) = filter(None, map(state_of, other.seen))
        assert state == "requires_action"
        assert answer["result"]["_meta"]["sandbox_agent"]["pending"]
        asked = other.asked("session/request_permission")
        odd = {"outcome": {"outcome": "of_tomorrow", "optionId": ["x"]}}
        other.send({"jsonrpc": "2.0", "id": asked["id"], "result": odd})
        until_state(other, "idle")
    resolved = server.events(session_id, "permission.resolved")[-1]["data"]
    assert resolved["outcome"] == "cancelled"


def test_a_prompt_that_may_have_arrived_is_carried_out_once(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    meta = {"sandbox_agent": {"turnId": "turn_mine"}}
    socket.answer_to(socket.prompt(session_id, "hello", _meta=meta))
    until_state(socket, "idle")
    with AcpSocket.connected(server, hello=HELLO) as other:
        own = {"sandbox_agent": {"cursor": 0, "turns": ["turn_mine"]}}
        other.ask("session/resume", sessionId=session_id, cwd=WORKSPACE, _meta=own)
        again = {"sandbox_agent": {"turnId": "turn_mine", "again": True}}
        answer = other.answer_to(other.prompt(session_id, "hello", _meta=again))
        assert answer["result"] == {"messageId": "turn_mine"}
    assert len(server.events(session_id, "turn.started")) == 1


def test_a_held_prompt_is_withdrawn_by_itself(server: ServerProcess, socket: AcpSocket) -> None:
    session_id = socket.new_session()
    socket.answer_to(socket.prompt(session_id, "slow 30"))
    held = socket.prompt(session_id, "held")
    socket.notify("$/cancel_request", requestId=held)
    assert socket.answer_to(held)["error"]["code"] == -32800
    after = socket.prompt(session_id, "after")
    socket.notify("session/cancel", sessionId=session_id)
    assert socket.answer_to(after)["error"]["code"] == -32800
    until_state(socket, "idle")
    assert len(server.events(session_id, "turn.started")) == 1


def test_nothing_more_is_told_of_a_session_that_was_closed(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    socket.answer_to(socket.prompt(session_id, "permission"))
    socket.asked("session/request_permission")
    answer = socket.ask("session/close", sessionId=session_id)
    assert answer["result"] == {}
    assert list(filter(None, map(state_of, socket.seen)))[-1] == "idle"
    with AcpSocket.connected(server, hello=HELLO) as other:
        other.ask("session/resume", sessionId=session_id, cwd=WORKSPACE)
        other.answer_to(other.prompt(session_id, "hello"))
        until_state(other, "idle")
        assert text_of(other.seen) == "You said: hello"
    socket.seen.clear()
    socket.ask("session/list")
    assert len(socket.seen) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"mcpServers": [{"type": "sse", "name": "a", "url": "http://127.0.0.1:1"}]},
        {"mcpServers": [{"name": "a", "command": "/bin/true"}]},
        {"mcpServers": [{"type": "stdio", "name": "a", "command": "/bin/true"}] * 2},
        {"mcpServers": ["a"]},
        {"cwd": 7},
    ],
)
def test_a_session_that_cannot_be_made_is_refused(socket: AcpSocket, params: Message) -> None:
    answer = socket.ask("session/new", **{"cwd": WORKSPACE, **params})
    assert answer["error"]["code"] == -32602


@pytest.mark.parametrize(
    "params",
    [
        {"configId": "model", "value": "mock-smart"},
        {"configId": "model", "type": "id", "value": "nope"},
        {"configId": "model", "type": "boolean", "value": True},
        {"configId": "mode", "type": "id", "value": "nope"},
        {"configId": ["mode"], "type": "id", "value": "plan"},
        {"configId": "mode", "type": "_x", "value": "plan"},
    ],
)
def test_a_setting_that_is_none_is_refused(socket: AcpSocket, params: Message) -> None:
    session_id = socket.new_session()
    answer = socket.ask("session/set_config_option", sessionId=session_id, **params)
    assert answer["error"]["code"] == -32602


def test_settings_of_others_are_told(server: ServerProcess, socket: AcpSocket) -> None:
    session_id = socket.new_session()
    socket.ask("session/list")
    with server.client() as client:
        assert client.patch(f"/v1/sessions/{session_id}", json={"mode": "plan"}).status_code == 200
    while (update := socket.asked("session/update")["params"]["update"])[
        "sessionUpdate"
    ] != "config_option_update":
        pass
    (mode,) = [one for one in update["configOptions"] if one["configId"] == "mode"]
    assert mode["currentValue"] == "plan"


@pytest.mark.parametrize(
    "method", ["session/load", "session/set_mode", "session/fork", "authenticate", "auth/logout"]
)
def test_methods_of_version_1_are_none(socket: AcpSocket, method: str) -> None:
    answer = socket.ask(method, sessionId=socket.new_session(), cwd=WORKSPACE, modeId="plan")
    assert answer["error"]["code"] == -32601
