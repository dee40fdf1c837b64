"""`/acp` as a WebSocket: the server is an ACP agent whose sessions outlive the connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from support.acp_wire import WORKSPACE, AcpSocket, text_of
from support.server import DEADLINE_S, ServerProcess, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


@pytest.fixture
def socket(server: ServerProcess) -> Iterator[AcpSocket]:
    with AcpSocket.connected(server) as socket:
        yield socket


def selected(request: dict[str, Any], kind: str) -> dict[str, Any]:
    """The answer to a permission, by the kind of the option."""
    options = request["params"]["options"]
    option = next(one["optionId"] for one in options if one["kind"] == kind)
    outcome = {"outcome": "selected", "optionId": option}
    return {"jsonrpc": "2.0", "id": request["id"], "result": {"outcome": outcome}}


def cursor_of(message: dict[str, Any]) -> int:
    cursor: int = message["params"]["_meta"]["sandbox_agent"]["cursor"]
    return cursor


def test_a_prompt_is_answered_after_all_that_was_said_in_its_turn(socket: AcpSocket) -> None:
    session_id = socket.new_session()
    answer = socket.answer_to(socket.prompt(session_id, "hello"))
    assert answer["result"]["stopReason"] == "end_turn"
    assert text_of(socket.seen) == "You said: hello"
    assert text_of(socket.seen, kind="user_message_chunk") == ""
    told = [message for message in socket.seen if "params" in message]
    assert {message["params"]["sessionId"] for message in told} == {session_id}
    assert sorted(map(cursor_of, told)) == list(map(cursor_of, told))


def test_the_draft_of_version_2_is_not_spoken_unless_it_is_switched_on(
    server: ServerProcess,
) -> None:
    with AcpSocket.connected(server, hello=None) as socket:
        hello = {"protocolVersion": 2, "info": {"name": "t", "version": "0"}}
        result = socket.ask("initialize", **hello)["result"]
        assert result["protocolVersion"] == 1
        assert "agentCapabilities" in result


def test_a_permission_is_put_to_the_client_and_its_answer_counts(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    for kind, word in (("allow_once", "allow"), ("reject_once", "reject")):
        prompt = socket.prompt(session_id, "permission")
        socket.send(selected(socket.asked("session/request_permission"), kind))
        assert socket.answer_to(prompt)["result"]["stopReason"] == "end_turn"
        resolved = server.events(session_id, "permission.resolved")[-1]["data"]
        assert resolved["decidedBy"] == "user"
        assert word in resolved["optionKind"]


def test_a_permission_that_another_client_answers_is_withdrawn(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    prompt = socket.prompt(session_id, "permission")
    asked = socket.asked("session/request_permission")
    request_id = asked["params"]["_meta"]["sandbox_agent"]["requestId"]
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/requests/{request_id}"
        assert client.post(path, json={"reply": "allow"}).status_code == 200
    assert socket.asked("$/cancel_request")["params"] == {"requestId": asked["id"]}
    socket.send(selected(asked, "reject_once"))
    assert socket.answer_to(prompt)["result"]["stopReason"] == "end_turn"


def test_a_cancel_ends_the_turn_and_what_it_asks(socket: AcpSocket) -> None:
    session_id = socket.new_session()
    for text, sign in (("slow", "session/update"), ("permission", "session/request_permission")):
        prompt = socket.prompt(session_id, text)
        socket.asked(sign)
        socket.notify("session/cancel", sessionId=session_id)
        assert socket.answer_to(prompt)["result"] == {"stopReason": "cancelled"}


def test_a_request_that_the_client_gives_up_is_answered_so(socket: AcpSocket) -> None:
    session_id = socket.new_session()
    prompt = socket.prompt(session_id, "slow")
    socket.asked("session/update")
    socket.notify("$/cancel_request", requestId=prompt)
    assert socket.answer_to(prompt)["error"]["code"] == -32800
    assert socket.answer_to(socket.prompt(session_id, "hello"))["result"]


def test_the_death_of_the_agent_is_an_answer_and_the_next_prompt_revives_it(
    socket: AcpSocket,
) -> None:
    session_id = socket.new_session()
    answer = socket.answer_to(socket.prompt(session_id, "crash"))
    assert answer["error"]["data"]["code"] == "agent_process_exited"
    updates = [one["params"]["update"] for one in socket.seen if "params" in one]
    calls = [one for one in updates if "toolCallId" in one]
    assert calls[-1] == {**calls[-1], "sessionUpdate": "tool_call_update", "status": "failed"}
    assert socket.answer_to(socket.prompt(session_id, "hello"))["result"]


def test_modes_and_options_are_the_sessions(server: ServerProcess, socket: AcpSocket) -> None:
    session_id = socket.new_session()
    (offered,) = (one["result"]["modes"] for one in socket.seen if "modes" in one.get("result", {}))
    mode = next(one["id"] for one in offered["availableModes"] if one["id"] == "plan")
    assert socket.ask("session/set_mode", sessionId=session_id, modeId=mode)["result"] == {}
    with server.client() as client:
        assert client.get(f"/v1/sessions/{session_id}").json()["mode"] == "plan"
    wrong = socket.ask("session/set_mode", sessionId=session_id, modeId="no such mode")
    assert wrong["error"]["data"]["code"] == "mode_not_supported"
    wrong = socket.ask(
        "session/set_config_option", sessionId=session_id, configId="no such", value="x"
    )
    assert wrong["error"]["data"]["code"] == "value_not_supported"


def test_a_session_may_be_made_with_more_than_acp_has_words_for(
    server: ServerProcess, socket: AcpSocket
) -> None:
    wanted = {"title": "By hand", "mode": "plan", "env": {"KEY": "secret"}, "agent": "claude"}
    own = {"sessionId": "ses_of_the_client", "session": wanted}
    for expected in ("result", "error"):
        answer = socket.ask(
            "session/new", cwd=WORKSPACE, mcpServers=[], _meta={"sandbox_agent": own}
        )
        assert expected in answer
    assert answer["error"]["data"]["code"] == "session_already_exists"
    with server.client() as client:
        info = client.get("/v1/sessions/ses_of_the_client").json()
    assert (info["agent"], info["title"], info["mode"]) == ("mock", "By hand", "plan")


def test_sessions_are_listed_closed_loaded_and_deleted(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = socket.new_session()
    socket.answer_to(socket.prompt(session_id, "hello"))
    assert socket.ask("session/close", sessionId=session_id)["result"] == {}
    with server.client() as client:
        assert client.get(f"/v1/sessions/{session_id}").json()["status"] == "dormant"
    listed = socket.ask("session/list")["result"]["sessions"]
    assert session_id in [one["sessionId"] for one in listed]
    assert socket.ask("session/list", cwd="/elsewhere")["result"] == {"sessions": []}
    with AcpSocket.connected(server) as other:
        answer = other.ask("session/load", sessionId=session_id, cwd=WORKSPACE, mcpServers=[])
        assert answer["result"]["sessionId"] == session_id
        assert other.seen[-1] == answer
        assert text_of(other.seen, kind="user_message_chunk") == "hello"
        assert text_of(other.seen) == "You said: hello"
        assert other.ask("session/delete", sessionId=session_id)["result"] == {}
        listed = other.ask("session/list")["result"]["sessions"]
        assert session_id not in [one["sessionId"] for one in listed]


def test_a_session_of_the_http_api_can_be_loaded_and_both_see_each_other(
    server: ServerProcess, socket: AcpSocket
) -> None:
    session_id = server.create(cwd=WORKSPACE)
    server.prompt(session_id, "one")
    socket.ask("session/load", sessionId=session_id, cwd=WORKSPACE, mcpServers=[])
    socket.seen.clear()
    server.prompt(session_id, "two")
    socket.answer_to(socket.prompt(session_id, "three"))
    assert text_of(socket.seen, kind="user_message_chunk") == "two"
    assert text_of(socket.seen) == "You said: twoYou said: three"


def test_a_session_outlives_its_connection_and_is_resumed_where_it_was(
    server: ServerProcess,
) -> None:
    with AcpSocket.connected(server) as first:
        session_id = first.new_session()
        turn = {"_meta": {"sandbox_agent": {"turnId": "turn_of_the_test"}}}
        first.prompt(session_id, "permission", **turn)
        asked = first.asked("session/request_permission")
        cursor = max(cursor_of(one) for one in first.seen if "params" in one)
    until(lambda: server.events(session_id, "permission.requested"))
    with AcpSocket.connected(server) as second:
        own = {"cursor": cursor, "turns": ["turn_of_the_test"]}
        params = {"sessionId": session_id, "cwd": WORKSPACE, "mcpServers": []}
        second.ask("session/resume", **params, _meta={"sandbox_agent": own})
        again = {"turnId": "turn_of_the_test", "again": True}
        prompt = second.prompt(session_id, "permission", _meta={"sandbox_agent": again})
        anew = second.asked("session/request_permission")
        assert anew["params"]["_meta"]["sandbox_agent"] == asked["params"]["_meta"]["sandbox_agent"]
        second.send(selected(anew, "allow_once"))
        assert second.answer_to(prompt)["result"]["stopReason"] == "end_turn"
        assert text_of(second.seen).startswith("Done")
        assert text_of(second.seen, kind="user_message_chunk") == ""
    assert len(server.events(session_id, "turn.started")) == 1


def test_a_prompt_given_again_after_its_end_is_answered_and_not_repeated(
    server: ServerProcess,
) -> None:
    with AcpSocket.connected(server) as first:
        session_id = first.new_session()
        first.prompt(session_id, "hello", _meta={"sandbox_agent": {"turnId": "turn_lost"}})
    until(lambda: server.events(session_id, "turn.ended"))
    with AcpSocket.connected(server) as second:
        params = {"sessionId": session_id, "cwd": WORKSPACE, "mcpServers": []}
        own = {"cursor": 0, "turns": ["turn_lost"]}
        second.ask("session/load", **params, _meta={"sandbox_agent": own})
        again = {"turnId": "turn_lost", "again": True}
        prompt = second.prompt(session_id, "hello", _meta={"sandbox_agent": again})
        assert second.answer_to(prompt)["result"]["stopReason"] == "end_turn"
        again = {"turnId": "turn_never_came", "again": True}
        prompt = second.prompt(session_id, "new", _meta={"sandbox_agent": again})
        assert second.answer_to(prompt)["result"]["stopReason"] == "end_turn"
    assert len(server.events(session_id, "turn.started")) == 2


def test_what_nobody_knows_is_no_method_and_what_the_agent_knows_is_its_answer(
    socket: AcpSocket,
) -> None:
    session_id = socket.new_session()
    of_nobody = socket.ask("_vendor/other", x=1)["error"]
    assert (of_nobody["code"], of_nobody["data"]) == (-32601, {"method": "_vendor/other"})
    assert socket.ask("_vendor/thing", sessionId=session_id)["error"]["code"] == -32601
    own = socket.ask("_sandbox_agent/session.native", sessionId=session_id)["error"]
    assert own["code"] == -32601
    socket.notify("_vendor/told", sessionId=session_id)
    socket.notify("nothing/like/it")
    assert "result" in socket.ask("session/list")


@pytest.mark.parametrize(
    ("message", "id", "code"),
    [
        ("{", None, -32700),
        ("[" * 200, None, -32700),
        ("[]", None, -32600),
        ('[{"jsonrpc":"2.0","id":1,"method":"session/list"}]', None, -32600),
        ("7", None, -32600),
        ('{"jsonrpc":"2.0","id":null,"method":"session/list"}', None, -32600),
        ('{"jsonrpc":"2.0","id":[1],"method":"session/list"}', None, -32600),
        ('{"jsonrpc":"2.0","id":true,"method":"session/list"}', None, -32600),
        ('{"id":"a","method":"initialize","params":{"protocolVersion":1}}', "a", -32600),
        ('{"id":"b","method":"session/prompt"}', "b", -32602),
        ('{"id":"c","method":"session/prompt","params":[1]}', "c", -32602),
        ('{"id":1.5,"method":"session/load","params":{"sessionId":7}}', 1.5, -32602),
        ('{"id":"3","method":"session/load","params":{"sessionId":"../x"}}', "3", -32002),
        ('{"id":3,"method":"session/new","params":{"cwd":"not absolute"}}', 3, -32602),
        ('{"id":4,"method":"session/new","params":{"mcpServers":"none"}}', 4, -32602),
        ('{"id":1152921504606846976,"method":"authenticate"}', 1152921504606846976, -32602),
    ],
)
def test_bad_messages_are_answered_and_the_connection_stays(
    socket: AcpSocket, message: str, id: Any, code: int
) -> None:
    socket.send(message)
    answer = socket.next()
    assert (answer["id"], answer["error"]["code"]) == (id, code)
    assert type(answer["id"]) is type(id)
    assert "result" in socket.ask("session/list")


def test_no_message_of_whatever_shape_ends_the_connection(socket: AcpSocket) -> None:
    chance = Random(4711)
    session_id = socket.new_session()
    methods = [
        "session/new",
        "session/load",
        "session/prompt",
        "session/cancel",
        "session/set_mode",
    ]
    methods += [
        "session/set_config_option",
        "session/list",
        "$/cancel_request",
        "_x/y",
        "",
        "fs/read",
    ]
    values: list[Any] = [None, True, -1, 1.5, "", "x" * 5000, [], {}, {"a": [{}]}, session_id, "/"]
    names = ["sessionId", "cwd", "mcpServers", "prompt", "modeId", "configId", "value", "requestId"]
    names += ["_meta", "cursor", "additionalDirectories", "protocolVersion"]
    for _ in range(400):
        params: Any = {name: chance.choice(values) for name in chance.sample(names, 4)}
        if chance.random() < 0.3:
            params["_meta"] = {"sandbox_agent": {"turnId": chance.choice(values), "again": True}}
        frame = {
            "jsonrpc": chance.choice(["2.0", "1.0", None]),
            "id": chance.choice([*values, chance.randrange(1 << 60)]),
            "method": chance.choice(methods),
            "params": chance.choice([params, params, params, [], None, 7]),
        }
        for name in chance.sample([*frame], chance.randrange(2)):
            del frame[name]
        socket.send(frame)
    socket.notify("session/cancel", sessionId=session_id)
    assert "sessions" in socket.ask("session/list")["result"]
    assert socket.answer_to(socket.prompt(session_id, "hello"))["result"]


def test_a_flood_of_requests_is_answered_once_it_is_read(socket: AcpSocket) -> None:
    ids = [socket.request("_of/nobody") for _ in range(2000)]
    answered = [socket.next()["id"] for _ in ids]
    assert sorted(answered) == ids


def test_who_may_not_answer_is_not_asked(server: ServerProcess) -> None:
    with server.client() as client:
        made = client.post("/v1/tokens", json={"scopes": ["prompt"], "actor": "ada"}).json()
        url = f"{server.url.replace('http', 'ws', 1)}/acp?agent=mock"
        with connect(
            url, additional_headers={"authorization": f"Bearer {made['token']}"}
        ) as websocket:
            socket = AcpSocket(websocket)
            socket.ask("initialize", protocolVersion=1)
            session_id = socket.new_session()
            prompt = socket.prompt(session_id, "permission")
            until(lambda: server.events(session_id, "permission.requested"))
            (asked,) = client.get(f"/v1/sessions/{session_id}/requests").json()["requests"]
            path = f"/v1/sessions/{session_id}/requests/{asked['id']}"
            assert client.post(path, json={"reply": "allow"}).status_code == 200
            assert socket.answer_to(prompt)["result"]["stopReason"] == "end_turn"
            assert "session/request_permission" not in [one.get("method") for one in socket.seen]
            refused = socket.ask("session/set_mode", sessionId=session_id, modeId="bypass")
            assert refused["error"]["data"]["code"] == "permission_denied"


def test_what_needs_no_answer_gets_none(socket: AcpSocket) -> None:
    for message in ("{}", '{"id":99,"result":{}}', '{"id":null,"error":{"code":-32700}}'):
        socket.send(message)
    socket.websocket.send(b"\x00\xff binary")
    assert "result" in socket.ask("session/list")
    assert len(socket.seen) == 2


def test_an_id_in_use_is_refused_and_the_first_request_goes_on(socket: AcpSocket) -> None:
    session_id = socket.new_session()
    prompt = socket.prompt(session_id, "slow")
    socket.asked("session/update")
    socket.send({"jsonrpc": "2.0", "id": prompt, "method": "session/list", "params": {}})
    assert socket.answer_to(prompt)["error"]["code"] == -32600
    socket.notify("session/cancel", sessionId=session_id)
    assert socket.answer_to(prompt)["result"] == {"stopReason": "cancelled"}


def test_the_first_message_has_to_be_initialize(server: ServerProcess) -> None:
    with AcpSocket.connected(server, hello=None) as socket:
        assert socket.websocket.response is not None
        assert socket.websocket.response.headers["acp-connection-id"]
        socket.request("session/list")
        with pytest.raises(ConnectionClosed) as closed:
            socket.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1002


@pytest.mark.parametrize("version", [1, 2, 99])
def test_the_version_is_the_one_that_the_server_speaks(server: ServerProcess, version: int) -> None:
    with AcpSocket.connected(server, hello=None) as socket:
        answer = socket.ask("initialize", protocolVersion=version)
        assert answer["result"]["protocolVersion"] == 1
        assert answer["result"]["agentCapabilities"]["loadSession"] is True


def test_an_initialize_that_fails_says_why(server: ServerProcess) -> None:
    with AcpSocket.connected(server, hello=None) as socket:
        assert socket.ask("initialize")["error"]["code"] == -32602
    with AcpSocket.connected(server, agent="nobody", hello=None) as socket:
        error = socket.ask("initialize", protocolVersion=1)["error"]
        assert error["data"]["code"] == "unsupported_agent"
    with AcpSocket.connected(server, agent="", hello=None) as socket:
        error = socket.ask("initialize", protocolVersion=1)["error"]
        assert "mock" in error["message"]


def test_who_may_not_prompt_gets_no_connection(server: ServerProcess) -> None:
    url = f"{server.url.replace('http', 'ws', 1)}/acp"
    for headers, status in (({}, 401), ({**server.headers, "origin": "https://evil.example"}, 403)):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers)
        assert refused.value.response.status_code == status
    with server.client() as client:
        made = client.post("/v1/tokens", json={"scopes": ["read"], "actor": "reader"}).json()
    with pytest.raises(InvalidStatus) as refused:
        connect(url, additional_headers={"authorization": f"Bearer {made['token']}"})
    assert refused.value.response.status_code == 403


def test_what_a_client_offers_of_its_own_machine_never_reaches_the_agent(
    server: ServerProcess,
) -> None:
    offers = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": True}
    hello = {"protocolVersion": 1, "clientCapabilities": offers}
    with AcpSocket.connected(server, hello=hello) as socket:
        session_id = socket.new_session()
    (told,) = (
        entry["payload"]["params"]["clientCapabilities"]
        for entry in server.entries(session_id)
        if entry["payload"].get("method") == "initialize"
    )
    assert not told["terminal"]
    assert not any(told["fs"].values())


def test_text_is_cut_so_that_a_message_stays_below_a_mebibyte(socket: AcpSocket) -> None:
    session_id = socket.new_session()
    socket.answer_to(socket.prompt(session_id, "burst 1x3000000"))
    assert len(text_of(socket.seen)) == 3_000_000
    assert max(len(json.dumps(one)) for one in socket.seen) < 1024 * 1024


def test_a_client_that_reads_late_gets_everything(server: ServerProcess, socket: AcpSocket) -> None:
    session_id = socket.new_session()
    prompt = socket.prompt(session_id, "burst 4000x2000")
    until(lambda: server.events(session_id, "turn.ended"))
    assert socket.answer_to(prompt)["result"]["stopReason"] == "end_turn"
    assert len(text_of(socket.seen)) >= 8_000_000


def test_there_are_only_so_many_clients(tmp_path: Any) -> None:
    server = ServerProcess(tmp_path, arguments=["--limit", "max_acp_connections=1"]).start()
    try:
        with AcpSocket.connected(server) as socket:
            with pytest.raises(InvalidStatus) as refused:
                connect(
                    f"{server.url.replace('http', 'ws', 1)}/acp", additional_headers=server.headers
                )
            assert refused.value.response.status_code == 429
            assert "result" in socket.ask("session/list")
            server.stop()
            with pytest.raises(ConnectionClosed) as closed:
                socket.websocket.recv(DEADLINE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
    finally:
        server.stop()
