"""`/acp` as Streamable HTTP: messages in by POST, out on a stream of the connection and one of each session."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.acp_wire import WORKSPACE, AcpSocket, AcpStreams, text_of
from support.server import DEADLINE_S, ServerProcess, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    limits = ["--limit", "heartbeat_s=0.3"]
    process = ServerProcess(tmp_path_factory.mktemp("server"), arguments=limits).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


@pytest.fixture
def streams(server: ServerProcess) -> Iterator[AcpStreams]:
    with AcpStreams.connected(server) as streams:
        yield streams


def new_session(streams: AcpStreams, common: Any) -> str:
    answer, _ = common.answer_to(streams.request("session/new", cwd=WORKSPACE, mcpServers=[]))
    session_id: str = answer["result"]["sessionId"]
    return session_id


def test_initialize_is_answered_at_once_with_the_id_of_the_connection(streams: AcpStreams) -> None:
    assert streams.hello.status_code == 200
    assert streams.hello.headers["content-type"] == "application/json"
    assert streams.hello.json()["result"]["protocolVersion"] == 1
    assert len(streams.hello.headers["acp-connection-id"]) == 32


def test_answers_go_to_the_stream_that_their_request_is_of(streams: AcpStreams) -> None:
    common = streams.stream()
    for name, value in {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }.items():
        assert common.response.headers[name] == value
    session_id = new_session(streams, common)
    own = streams.stream(session_id)
    answer, before = own.answer_to(streams.prompt(session_id, "hello"))
    assert answer["result"]["stopReason"] == "end_turn"
    assert text_of(before) == "You said: hello"
    listed, others = common.answer_to(streams.request("session/list"))
    assert "result" in listed
    assert others == []


def test_without_a_stream_of_the_session_its_messages_go_to_the_connections(
    streams: AcpStreams,
) -> None:
    common = streams.stream()
    session_id = new_session(streams, common)
    answer, before = common.answer_to(streams.prompt(session_id, "hello"))
    assert answer["result"]["stopReason"] == "end_turn"
    assert text_of(before) == "You said: hello"


def test_a_replay_comes_whole_on_the_stream_that_was_opened_before_it(
    server: ServerProcess, streams: AcpStreams
) -> None:
    session_id = server.create(cwd=WORKSPACE)
    server.prompt(session_id, "hello")
    common, own = streams.stream(), streams.stream(session_id)
    load = streams.request("session/load", sessionId=session_id, cwd=WORKSPACE, mcpServers=[])
    answer, _ = common.answer_to(load)
    assert answer["result"]["sessionId"] == session_id
    _, before = own.answer_to(streams.prompt(session_id, "again"))
    assert text_of(before) == "You said: helloYou said: again"


def test_a_permission_can_be_answered_without_naming_its_session(streams: AcpStreams) -> None:
    common = streams.stream()
    session_id = new_session(streams, common)
    own = streams.stream(session_id)
    prompt = streams.prompt(session_id, "permission")
    while (message := own.next()) and message.get("method") != "session/request_permission":
        pass
    assert message is not None
    option = message["params"]["options"][0]["optionId"]
    outcome = {"outcome": {"outcome": "selected", "optionId": option}}
    assert streams.post({"id": message["id"], "result": outcome}).status_code == 202
    assert own.answer_to(prompt)[0]["result"]["stopReason"] == "end_turn"
    assert streams.post({"id": 4711, "result": {}}).status_code == 202


def test_a_session_that_nobody_knows_has_a_stream_that_waits(streams: AcpStreams) -> None:
    common, own = streams.stream(), streams.stream("nope")
    assert own.response.status_code == 200
    load = streams.request("session/load", sessionId="nope", cwd=WORKSPACE, mcpServers=[])
    assert common.answer_to(load)[0]["error"]["code"] == -32002
    prompt = streams.prompt("nope", "hello")
    assert own.answer_to(prompt)[0]["error"]["code"] == -32002


def test_a_stream_has_one_reader_at_a_time(streams: AcpStreams) -> None:
    common = streams.stream()
    assert streams.stream().response.status_code == 409
    assert "result" in common.answer_to(streams.request("session/list"))[0]
    common.close()
    listed = streams.request("session/list")
    until(
        lambda: (again := streams.stream()).response.status_code == 200 and again.answer_to(listed)
    )


def test_what_a_session_stream_left_unread_comes_on_the_connections(streams: AcpStreams) -> None:
    common = streams.stream()
    session_id = new_session(streams, common)
    own = streams.stream(session_id)
    prompt = streams.prompt(session_id, "slow 30")
    assert own.next()
    own.close()
    cancel = {"method": "session/cancel", "params": {"sessionId": session_id}}
    assert streams.post(cancel).status_code == 202
    assert common.answer_to(prompt)[0]["result"] == {"stopReason": "cancelled"}


def test_the_streams_are_ascii_and_say_that_they_live(streams: AcpStreams) -> None:
    common = streams.stream()
    session_id = new_session(streams, common)
    text = "Grüße 🎉 \u2028ende"
    _, before = common.answer_to(streams.prompt(session_id, text))
    assert text_of(before) == f"You said: {text}"
    assert all(body.isascii() for body in common.bodies)


def test_a_silent_stream_says_that_it_lives(streams: AcpStreams) -> None:
    headers = {**streams.headers, "accept": "text/event-stream"}
    with httpx.stream("GET", streams.url, headers=headers, timeout=DEADLINE_S) as response:
        lines = response.iter_lines()
        assert next(line for line in lines if line == ":") == ":"


def test_deleting_ends_the_streams_and_not_the_sessions(
    server: ServerProcess, streams: AcpStreams
) -> None:
    common = streams.stream()
    session_id = new_session(streams, common)
    own = streams.stream(session_id)
    streams.prompt(session_id, "slow 5")
    assert own.next()
    assert httpx.delete(streams.url, headers=streams.headers).status_code == 202
    while common.next() is not None:
        pass
    while own.next() is not None:
        pass
    with server.client() as client:
        assert client.get(f"/v1/sessions/{session_id}").json()["status"] == "running"
    assert httpx.delete(streams.url, headers=streams.headers).status_code == 404
    listing = {"jsonrpc": "2.0", "id": 1, "method": "session/list"}
    assert streams.post(listing).status_code == 404


@pytest.mark.parametrize(
    ("message", "headers", "status", "code"),
    [
        ("{", {}, 400, -32700),
        ("[]", {}, 400, -32600),
        ("7", {}, 400, -32600),
        ("{}", {"content_type": "text/plain"}, 415, None),
        ("{}", {"content_type": "application/jsonfoo"}, 415, None),
        ("{}", {"acp_connection_id": "unknown"}, 404, None),
        ('{"id":1,"method":"initialize","params":{}}', {}, 400, None),
        (
            '{"method":"session/cancel","params":{"sessionId":"a"}}',
            {"acp_session_id": "b"},
            400,
            None,
        ),
        ('{"method":"session/cancel","params":{"sessionId":"a"}}', {}, 202, None),
        ('{"method":"no/such"}', {}, 202, None),
        ("{}", {}, 202, None),
    ],
)
def test_a_post_is_refused_only_when_its_connection_or_its_form_is_wrong(
    streams: AcpStreams, message: str, headers: dict[str, str], status: int, code: int | None
) -> None:
    answer = streams.post(message, **headers)
    assert answer.status_code == status, answer.text
    if code is not None:
        assert (answer.json()["id"], answer.json()["error"]["code"]) == (None, code)


def test_requests_without_what_they_need_are_refused(
    server: ServerProcess, streams: AcpStreams
) -> None:
    accept = {"accept": "text/event-stream"}
    for headers, status in (
        ({**server.headers, **accept}, 400),
        ({**server.headers, **accept, "acp-connection-id": "unknown"}, 404),
        ({**streams.headers, "accept": "application/json"}, 406),
        ({**streams.headers, "authorization": "Bearer wrong", **accept}, 401),
    ):
        assert httpx.get(streams.url, headers=headers).status_code == status
    assert httpx.delete(streams.url, headers=server.headers).status_code == 400
    listing = {"jsonrpc": "2.0", "id": 1, "method": "session/list"}
    assert httpx.post(streams.url, headers=server.headers, json=listing).status_code == 400
    assert httpx.put(streams.url, headers=streams.headers).status_code == 405


def test_the_connection_of_another_token_is_unknown(
    server: ServerProcess, streams: AcpStreams
) -> None:
    with server.client() as client:
        made = client.post("/v1/tokens", json={"scopes": ["prompt"], "actor": "other"}).json()
    other = f"Bearer {made['token']}"
    listing = {"jsonrpc": "2.0", "id": 1, "method": "session/list"}
    assert streams.post(listing, authorization=other).status_code == 404


def test_a_body_that_stays_half_sent_holds_nobody_up(
    server: ServerProcess, streams: AcpStreams
) -> None:
    common = streams.stream()
    place = urlsplit(server.url)
    head = "".join(f"{name}: {value}\r\n" for name, value in streams.headers.items())
    with socket.create_connection((place.hostname or "", place.port or 0)) as half:
        half.sendall(
            f"POST /acp HTTP/1.1\r\nhost: {place.netloc}\r\n{head}content-type: application/json\r\n"
            'content-length: 1000\r\n\r\n{"jsonrpc"'.encode()
        )
        assert "result" in common.answer_to(streams.request("session/list"))[0]


def test_a_connection_that_nothing_needs_ends_and_makes_room(tmp_path: Any) -> None:
    limits = ["--limit", "acp_idle_s=0.2", "--limit", "max_acp_connections=1"]
    server = ServerProcess(tmp_path, arguments=limits).start()
    try:
        streams = AcpStreams(server)

        def connects() -> bool:
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
            return httpx.post(streams.url, headers=server.headers, json=hello).status_code == 200

        until(connects)
        listing = {"jsonrpc": "2.0", "id": 1, "method": "session/list"}
        assert streams.post(listing).status_code == 404
        with AcpSocket.connected(server) as other:
            assert "result" in other.ask("session/list")
    finally:
        server.stop()


def test_what_a_client_does_not_take_waits_in_the_log_and_not_in_memory(tmp_path: Any) -> None:
    server = ServerProcess(tmp_path, arguments=["--limit", "heartbeat_s=0.3"]).start()
    try:
        with AcpStreams.connected(server) as streams:
            common = streams.stream()
            session_id = new_session(streams, common)
            headers = {
                **streams.headers,
                "accept": "text/event-stream",
                "acp-session-id": session_id,
            }
            with httpx.stream("GET", streams.url, headers=headers, timeout=DEADLINE_S) as unread:
                before = server.memory_mib()
                streams.prompt(session_id, "burst 5000x2000")
                with server.client() as client:
                    until(
                        lambda: client.get(f"/v1/sessions/{session_id}").json()["status"] == "idle"
                    )
                assert server.peak_memory_mib() < before + 40
                size = 0
                for part in unread.iter_raw():
                    size += len(part)
                    if b'"stopReason"' in part:
                        break
                assert size > 10_000_000
    finally:
        server.stop()
