"""`/v1/acp`: an ACP client over HTTP, on the same sessions and logs as everything else."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support import plain_agent
from support.acp_client import JSON, AcpClient, Stream, prompt_of
from support.fixtures import claude_env
from support.processes import is_running
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess, until

_IDS = count(1)


_PLAIN = Path(plain_agent.__file__)
_CONFIG = f"""
[agents.plain]
command = ["{sys.executable}", "{_PLAIN}"]
[agents.stubborn]
command = ["{sys.executable}", "{_PLAIN}", "--stubborn"]
[agents.broken]
command = ["/no/such/program"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), config=_CONFIG).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[AcpClient]:
    """One that the server has never seen."""
    with AcpClient(server, f"client/{next(_IDS)}") as client:
        yield client
        client.http.delete(client.path)


@pytest.fixture
def plain(server: ServerProcess) -> Iterator[AcpClient]:
    """Of an agent that is a program, and says what it is told to say."""
    with AcpClient(server, f"plain/{next(_IDS)}", agent="plain") as client:
        client.initialize()
        yield client
        client.http.delete(client.path)


def test_the_first_stream_of_a_client_is_404_and_its_first_post_makes_it(
    client: AcpClient, server: ServerProcess
) -> None:
    unknown = client.http.get(client.path, headers={"accept": "text/event-stream"})
    assert unknown.status_code == 404
    hello = client.initialize()
    assert hello["agentInfo"]["name"] == "mock"
    listed = client.http.get("/v1/acp").json()["servers"]
    (mine,) = [
        one for one in listed if f"/v1/acp/{one['serverId'].replace('/', '%2F')}" == client.path
    ]
    assert mine["agent"] == "mock"
    assert isinstance(mine["createdAtMs"], int)


def test_answers_come_to_their_post_and_once_to_the_stream_with_ids_from_one(
    client: AcpClient,
) -> None:
    client.initialize()
    session_id = client.new_session()
    answer = client.prompt(session_id, "text")
    assert answer["result"]["stopReason"] == "end_turn"
    with client.stream() as stream:
        until(lambda: bool(stream.answers(2)))
        assert [id for id, _ in stream.items] == list(range(1, len(stream.items) + 1))
        for id in (0, 1, 2):
            assert len(stream.answers(id)) == 1
        assert stream.answers(2) == [answer]
        kinds = [
            message["params"]["update"]["sessionUpdate"]
            for _, message in stream.items
            if message.get("method") == "session/update"
        ]
        assert "agent_message_chunk" in kinds
    with client.stream(after=2) as rest:
        until(lambda: bool(rest.answers(2)))
        assert [id for id, _ in rest.items] == list(range(3, len(rest.items) + 3))


def test_its_sessions_are_sessions_of_the_server(client: AcpClient, server: ServerProcess) -> None:
    client.initialize()
    acp_id = client.new_session()
    client.prompt(acp_id, "text")
    assert client.call("session/set_mode", {"sessionId": acp_id, "modeId": "plan"})["result"] == {}
    sessions = client.http.get("/v1/sessions").json()["sessions"]
    mine = sessions[0]
    assert mine["agent"] == "mock"
    assert mine["mode"] == "plan"
    kinds = [event["type"] for event in server.events(mine["id"])]
    assert {"session.created", "turn.started", "message.completed", "turn.ended"} <= set(kinds)


def test_a_permission_is_answered_by_the_client_and_told_to_everybody(
    client: AcpClient, server: ServerProcess
) -> None:
    client.initialize()
    acp_id = client.new_session()
    with client.stream() as stream:
        with client.asking("session/prompt", prompt_of(acp_id, "permission")) as answers:
            asked = stream.wait_for("session/request_permission")
            option = asked["params"]["options"][0]["optionId"]
            client.respond(asked["id"], {"outcome": {"outcome": "selected", "optionId": option}})
        assert answers[0]["result"]["stopReason"] == "end_turn"
        assert stream.find("$/cancel_request") is None


def test_a_permission_that_somebody_else_answers_is_withdrawn(
    client: AcpClient, server: ServerProcess
) -> None:
    client.initialize()
    acp_id = client.new_session()
    with client.stream() as stream:
        with client.asking("session/prompt", prompt_of(acp_id, "permission")) as answers:
            asked = stream.wait_for("session/request_permission")
            (pending,) = client.http.get("/v1/requests").json()["requests"]
            path = f"/v1/sessions/{pending['sessionId']}/requests/{pending['id']}"
            assert client.http.post(path, json={"reply": "allow"}).status_code == 200
            assert stream.wait_for("$/cancel_request")["params"] == {"requestId": asked["id"]}
        assert answers[0]["result"]["stopReason"] == "end_turn"
        # Too late: it is taken, and changes nothing.
        client.respond(asked["id"], {"outcome": {"outcome": "cancelled"}})


def test_a_cancel_ends_the_turn_with_its_permission_open(client: AcpClient) -> None:
    client.initialize()
    acp_id = client.new_session()
    with client.stream() as stream:
        with client.asking("session/prompt", prompt_of(acp_id, "permission")) as answers:
            stream.wait_for("session/request_permission")
            client.notify("session/cancel", {"sessionId": acp_id})
        assert answers[0]["result"] == {"stopReason": "cancelled"}


def test_delete_ends_the_stream_and_leaves_the_session(client: AcpClient) -> None:
    client.initialize()
    client.new_session()
    with client.stream() as stream:
        assert client.http.delete(client.path).status_code == 204
        until(lambda: stream.has_ended)
    assert client.http.get("/v1/sessions").json()["sessions"][0]["status"] == "dormant"
    assert client.http.delete(client.path).status_code == 204
    assert client.http.get(client.path).status_code == 404
    client.initialize()


# What an agent writes, and what comes of it


def test_bytes_of_an_agent_reach_the_client_as_they_were_written(plain: AcpClient) -> None:
    session_id = plain.new_session()
    plain.prompt(session_id, "odd")
    with plain.stream() as stream:
        until(lambda: bool(stream.answers(2)))
        assert plain_agent.ODD.replace("SESSION", session_id).encode() in stream.raw


def test_a_burst_that_nobody_reads_is_all_there_later(plain: AcpClient) -> None:
    session_id = plain.new_session()
    plain.prompt(session_id, "burst 3000 100")
    with plain.stream(after=2) as stream:
        until(lambda: bool(stream.answers(2)))
        assert [id for id, _ in stream.items] == list(range(3, 3004))
        texts = [
            message["params"]["update"]["content"]["text"][:6] for _, message in stream.items[:-1]
        ]
        assert texts == [f"{index:06d}" for index in range(3000)]


def test_what_is_no_message_is_told_as_a_notification(plain: AcpClient) -> None:
    session_id = plain.new_session()
    assert plain.prompt(session_id, "garbage")["result"] == {"stopReason": "end_turn"}
    with plain.stream() as stream:
        told = stream.wait_for("_adapter/invalid_stdout")
    assert told["params"]["raw"] == "this is no message"
    assert told["params"]["error"]


def test_a_dead_agent_answers_everybody_at_once_and_its_session_goes_on(plain: AcpClient) -> None:
    session_id = plain.new_session()
    with plain.stream() as stream:
        with plain.asking("_plain/never", {"sessionId": session_id}) as others:
            answer = plain.prompt(session_id, "exit 7")
        for one in (answer, others[0]):
            assert one["error"]["code"] == -32603
            assert one["error"]["data"]["exitCode"] == 7
            assert "fatal: bye" in one["error"]["data"]["stderrTail"]
        exited = stream.wait_for("_adapter/agent_exited")["params"]
        assert (exited["success"], exited["code"]) == (False, 7)
        assert plain.initialize()["agentInfo"]["name"] == "plain"
        assert plain.prompt(session_id, "again")["result"] == {"stopReason": "end_turn"}


def test_requests_of_the_agent_that_nobody_knows_go_to_the_client_and_back(
    plain: AcpClient,
) -> None:
    session_id = plain.new_session()
    with plain.stream() as stream:
        with plain.asking("session/prompt", prompt_of(session_id, "ask _vendor/thing")) as answers:
            asked = stream.wait_for("_vendor/thing")
            assert asked["params"] == {"sessionId": session_id, "n": 1.0}
            plain.respond(asked["id"], {"fine": [1, 2.0, None]})
        assert answers[0]["result"] == {"stopReason": "end_turn"}
        said = 'answer: {"result": {"fine": [1, 2.0, null]}}'
        until(lambda: _said(stream).get(session_id) == said)


def test_two_processes_that_number_alike_are_told_apart(plain: AcpClient) -> None:
    one, other = plain.new_session(), plain.new_session()
    assert (one, other != one) == ("ses-1", True)
    with plain.stream() as stream:
        with plain.asking("session/prompt", prompt_of(one, "permission")) as first:
            until(lambda: _permissions(stream) >= {one})
            with plain.asking("session/prompt", prompt_of(other, "permission")) as second:
                until(lambda: _permissions(stream) == {one, other})
                asked = {
                    m["params"]["sessionId"]: m["id"]
                    for _, m in stream.items
                    if m.get("method") == "session/request_permission"
                }
                assert asked[one] != asked[other]
                for session_id, choice in ((other, "no"), (one, "yes")):
                    outcome = {"outcome": "selected", "optionId": choice}
                    plain.respond(asked[session_id], {"outcome": outcome})
        assert first[0]["result"] == second[0]["result"] == {"stopReason": "end_turn"}
        until(lambda: len(_said(stream)) == 2)  # the POST may be answered first
        said = _said(stream)
        assert '"yes"' in said[one]
        assert '"no"' in said[other]


def _said(stream: Stream) -> dict[str, str]:
    return {
        m["params"]["sessionId"]: m["params"]["update"]["content"]["text"]
        for _, m in list(stream.items)
        if m.get("method") == "session/update"
    }


def _permissions(stream: Stream) -> set[str]:
    return {
        m["params"]["sessionId"]
        for _, m in list(stream.items)
        if m.get("method") == "session/request_permission"
    }


# What a client sends, and what comes of it


def test_any_id_comes_back_as_it_was_sent(plain: AcpClient) -> None:
    session_id = plain.new_session()
    for id in (None, 1.5, "a\nb", "7", 7, 0, -3, 12345678901234567890, True, [1], {"a": 1}):
        assert (
            plain.call("session/nope", {"sessionId": session_id}, id=id)["error"]["code"] == -32601
        )
        assert plain.call("session/nope", {}, id=id)["error"]["code"] == -32601


def test_an_id_that_waits_for_its_answer_is_refused_without_taking_the_answer(
    plain: AcpClient,
) -> None:
    session_id = plain.new_session()
    with plain.stream() as stream:
        with plain.asking("session/prompt", prompt_of(session_id, "wait"), id=77) as answers:
            until(lambda: any("waiting" in str(m) for _, m in list(stream.items)))
            again = plain.call("session/prompt", prompt_of(session_id, "echo"), id=77)
            assert again["error"]["code"] == -32600
            plain.notify("session/cancel", {"sessionId": session_id})
        assert answers[0]["result"] == {"stopReason": "cancelled"}
        until(lambda: bool(stream.answers(77)))
        assert [one["result"] for one in stream.answers(77)] == [{"stopReason": "cancelled"}]


def test_a_prompt_waits_for_the_turn_before_it(plain: AcpClient) -> None:
    session_id = plain.new_session()
    with plain.stream() as stream:
        with plain.asking("session/prompt", prompt_of(session_id, "wait"), id="first") as first:
            until(lambda: any("waiting" in str(m) for _, m in list(stream.items)))
            with plain.asking(
                "session/prompt", prompt_of(session_id, "echo"), id="second"
            ) as second:
                until(
                    lambda: plain.http.get("/v1/sessions").json()["sessions"][0]["queuedTurns"] == 1
                )
                plain.notify("$/cancel_request", {"requestId": "first"})
        assert first[0]["result"] == {"stopReason": "cancelled"}
        assert second[0]["result"] == {"stopReason": "end_turn"}


def test_methods_that_nobody_knows_pass_as_they_are(plain: AcpClient) -> None:
    session_id = plain.new_session()
    params = {"sessionId": session_id, "b": 1.0, "a": [None, {}], "text": "\u00e4"}
    assert plain.result("_plain/echo", params)["params"] == params
    del params["sessionId"]
    assert plain.result("_plain/echo", params)["params"] == params


def test_a_request_that_is_never_answered_has_an_end(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=f"{_CONFIG}\n[limits]\nacp_request_timeout_s = 0.5\n").start()
    with AcpClient(server, "waiting", agent="plain") as client:
        late = client.call("_plain/never", {})
        assert late["error"]["data"]["limit"] == "acp_request_timeout_s"


def test_a_prompt_of_three_megabytes_is_taken(plain: AcpClient) -> None:
    session_id = plain.new_session()
    assert plain.prompt(session_id, "y" * (3 << 20))["result"] == {"stopReason": "end_turn"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("session/new", {"cwd": "/no/such/directory", "mcpServers": []}, -32602),
        ("session/new", {"cwd": "relative", "mcpServers": []}, -32602),
        ("session/new", {"cwd": 7}, -32602),
        ("session/new", {"cwd": "/tmp", "mcpServers": [{"name": 5}]}, -32602),
        ("session/new", {"cwd": "/tmp", "mcpServers": "bad"}, -32602),
        ("session/load", {"sessionId": "gone", "cwd": "/tmp", "mcpServers": []}, -32002),
        ("session/load", {"cwd": "/tmp"}, -32602),
        ("session/prompt", {"sessionId": "nobody", "prompt": []}, -32002),
        ("session/prompt", {}, -32602),
        ("session/prompt", "what", -32602),
        (7, {}, -32602),
    ],
)
def test_what_is_wrong_is_an_answer_of_json_rpc(
    plain: AcpClient, method: Any, params: Any, code: int
) -> None:
    assert plain.call(method, params)["error"]["code"] == code


def test_a_prompt_without_content_is_an_answer_of_json_rpc(plain: AcpClient) -> None:
    session_id = plain.new_session()
    assert plain.call("session/prompt", {"sessionId": session_id})["error"]["code"] == -32602


def test_an_agent_that_cannot_be_started_is_an_answer_of_json_rpc(server: ServerProcess) -> None:
    with AcpClient(server, "broken", agent="broken") as client:
        assert client.call("initialize", {})["error"]["data"]["code"] == "agent_not_installed"
        assert (
            client.call("session/new", {"cwd": "/tmp"})["error"]["data"]["code"]
            == "agent_not_installed"
        )


@pytest.mark.parametrize(
    ("body", "headers", "query", "status"),
    [
        (b"{", {"content-type": "text/plain"}, "mock", 415),
        (b"{", {}, "mock", 415),
        (b"{", {**JSON, "accept": "text/html"}, "mock", 406),
        (b"{bad json", JSON, "mock", 400),
        (b"", JSON, "mock", 400),
        (b"\xff", JSON, "mock", 400),
        (b"[" * 200 + b"]" * 200, JSON, "mock", 400),
        (b"[]", JSON, "mock", 400),
        (b'"text"', JSON, "mock", 400),
        (b"{}", JSON, "nosuch", 400),
        (b"{}", JSON, "", 400),
        (b"{}", JSON, None, 400),
    ],
)
def test_what_is_no_message_is_refused_and_makes_no_client(
    server: ServerProcess, body: bytes, headers: dict[str, str], query: str | None, status: int
) -> None:
    with server.client() as http:
        params = {} if query is None else {"agent": query}
        answer = http.post("/v1/acp/refused", content=body, headers=headers, params=params)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert http.get("/v1/acp/refused").status_code == 404


def test_another_agent_for_the_same_client_is_a_conflict(plain: AcpClient) -> None:
    answer = plain.post({}, agent="mock")
    assert answer.status_code == 409
    assert plain.post({}, agent="plain").status_code == 202
    assert plain.post({}).status_code == 202


def test_nesting_that_others_take_is_taken(plain: AcpClient) -> None:
    deep = json.loads("[" * 100 + "]" * 100)
    assert plain.result("_plain/echo", {"deep": deep})["params"] == {"deep": deep}


@pytest.mark.parametrize("value", ["abc", "-1", "1.5"])
def test_a_bad_last_event_id_is_refused(plain: AcpClient, value: str) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": value}
    assert plain.http.get(plain.path, headers=headers).status_code == 400


def test_a_stream_is_refused_to_who_takes_none(plain: AcpClient) -> None:
    answer = plain.http.get(plain.path, headers={"accept": "application/json"})
    assert answer.status_code == 406


# Ends


def test_delete_is_prompt_and_ends_the_whole_tree(server: ServerProcess) -> None:
    with AcpClient(server, "tree", agent="stubborn") as client:
        client.initialize()
        session_id = client.new_session()
        with client.stream() as stream:
            client.prompt(session_id, "child")
            until(lambda: any("pids" in str(m) for _, m in list(stream.items)))
            (text,) = [
                str(m["params"]["update"]["content"]["text"])
                for _, m in stream.items
                if "pids" in str(m)
            ]
            pids = [int(pid) for pid in text.split()[1:]]
            assert client.http.delete(client.path).status_code == 204
            assert [pid for pid in pids if is_running(pid)] == []


def test_a_client_may_come_again_while_it_is_being_forgotten(server: ServerProcess) -> None:
    with AcpClient(server, "again", agent="stubborn") as client:
        client.initialize()
        client.new_session()
        deleting = threading.Thread(target=lambda: client.http.delete(client.path), daemon=True)
        deleting.start()
        until(lambda: client.http.get(client.path).status_code == 404)
        client.initialize()
        session_id = client.new_session()
        deleting.join()
        assert client.prompt(session_id, "still here")["result"] == {"stopReason": "end_turn"}
        with client.stream() as stream:
            until(lambda: "still here" in str(stream.items))
            assert stream.items[0][0] == 1
        client.http.delete(client.path)


@pytest.mark.parametrize("server_id", ["x" * 5000, "a/../b", "%2e%2e", "\u00e4 \U0001f600"])
def test_any_text_is_an_id_and_no_path(server: ServerProcess, server_id: str) -> None:
    with AcpClient(server, server_id) as client:
        client.initialize()
        listed = [one["serverId"] for one in client.http.get("/v1/acp").json()["servers"]]
        assert server_id in listed
        folders = {path.parent for path in server.data_dir.glob("**/connection.json")}
        assert {folder.parent for folder in folders} == {server.data_dir / "acp"}
        assert client.http.delete(client.path).status_code == 204


def test_a_message_over_several_lines_is_one(plain: AcpClient) -> None:
    session_id = plain.new_session()
    message = {
        "jsonrpc": "2.0",
        "id": "x",
        "method": "session/prompt",
        "params": prompt_of(session_id, "a\nb"),
    }
    body = b"\xef\xbb\xbf\r\n" + json.dumps(message, indent=2).encode() + b"\n"
    assert plain.post(body).json()["result"] == {"stopReason": "end_turn"}
    session = plain.http.get("/v1/sessions").json()["sessions"][0]
    events = plain.http.get(f"/v1/sessions/{session['id']}/events").json()["events"]
    # What the turn has done to the files is told after it.
    assert events[-1]["seq"] >= session["lastSeq"]


def test_a_client_that_does_nothing_holds_nothing_open(
    client: AcpClient, server: ServerProcess
) -> None:
    client.initialize()
    session_id = client.new_session()
    client.prompt(session_id, "text")
    until(lambda: _open_files(server) != [])
    client.result("session/close", {"sessionId": session_id})
    until(lambda: _open_files(server) == [])


def _open_files(server: ServerProcess) -> list[str]:
    """Of what ACP clients were told."""
    found = []
    for path in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(path.readlink()))
    return [name for name in found if f"{server.data_dir}/acp/" in name]


def test_a_session_that_is_ended_elsewhere_says_so_to_its_client(plain: AcpClient) -> None:
    acp_id = plain.new_session()
    session = plain.http.get("/v1/sessions").json()["sessions"][0]
    assert plain.http.delete(f"/v1/sessions/{session['id']}").status_code in (200, 204)
    ended = plain.prompt(acp_id, "echo")
    assert ended["error"]["data"]["code"] == "session_ended"
    plain.http.delete(f"/v1/sessions/{session['id']}?purge=true")
    assert plain.prompt(acp_id, "echo")["error"]["code"] == -32002


def test_close_leaves_a_session_that_the_next_prompt_brings_back(plain: AcpClient) -> None:
    acp_id = plain.new_session()
    assert plain.result("session/close", {"sessionId": acp_id}) == {}
    assert plain.http.get("/v1/sessions").json()["sessions"][0]["status"] == "dormant"
    assert plain.prompt(acp_id, "echo")["result"] == {"stopReason": "end_turn"}


def test_another_client_loads_the_session_with_its_history(
    plain: AcpClient, server: ServerProcess
) -> None:
    acp_id = plain.new_session()
    plain.prompt(acp_id, "first words")
    with AcpClient(server, "second", agent="plain") as other:
        other.initialize()
        loaded = other.result(
            "session/load", {"sessionId": acp_id, "cwd": "/tmp", "mcpServers": []}
        )
        assert loaded["modes"]["currentModeId"] == "code"
        with other.stream() as stream:
            until(lambda: bool(stream.answers(1)))
            told = [
                m["params"]["update"]
                for _, m in stream.items
                if m.get("method") == "session/update"
            ]
            assert [one["sessionUpdate"] for one in told] == [
                "user_message_chunk",
                "agent_message_chunk",
                "agent_message_chunk",
            ]
            assert stream.items[-1][1]["id"] == 1
            plain.prompt(acp_id, "for both")
            until(lambda: "for both" in str(stream.items))
        assert other.prompt(acp_id, "mine")["result"] == {"stopReason": "end_turn"}
        other.http.delete(other.path)
    assert plain.prompt(acp_id, "still here")["result"] == {"stopReason": "end_turn"}


def test_a_session_that_only_the_agent_knows_can_be_loaded(plain: AcpClient) -> None:
    plain.result("session/load", {"sessionId": "ses-of-yore", "cwd": "/tmp", "mcpServers": []})
    with plain.stream() as stream:
        until(lambda: bool(stream.answers(1)))
        assert "from the past" in str(stream.items[-2])
    assert plain.prompt("ses-of-yore", "on")["result"] == {"stopReason": "end_turn"}
    session = plain.http.get("/v1/sessions").json()["sessions"][0]
    assert session["agentSessionId"] == "ses-of-yore"


def test_a_client_finds_its_stream_and_its_sessions_after_a_restart(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, config=_CONFIG).start()
    try:
        with AcpClient(server, "lasting", agent="plain") as client:
            client.initialize()
            session_id = client.new_session()
            client.prompt(session_id, "before")
            before = client.messages(5)
        server.kill()
        server.start()
        with AcpClient(server, "lasting", agent="plain") as client:
            assert client.messages(5)[:5] == before
            assert client.prompt(session_id, "after")["result"] == {"stopReason": "end_turn"}
            with client.stream(after=5) as stream:
                until(lambda: "after" in str(stream.items))
                assert [id for id, _ in stream.items] == list(range(6, len(stream.items) + 6))
    finally:
        assert server.stop() == 0, server.log()


def test_a_prompt_that_a_crash_interrupted_is_answered_on_the_stream(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, config=_CONFIG).start()
    try:
        with AcpClient(server, "lasting", agent="plain") as client:
            client.initialize()
            session_id = client.new_session()
            client.post_and_leave("session/prompt", prompt_of(session_id, "wait"), id="open")
            heard = client.messages(3)
        server.kill()
        server.start()
        with AcpClient(server, "lasting", agent="plain") as client, client.stream() as stream:
            until(lambda: bool(stream.answers("open")))
            assert [message for _, message in stream.items[:3]] == heard
            (answer,) = stream.answers("open")
            assert answer["error"]["data"]["code"] == "unavailable"
    finally:
        assert server.stop() == 0, server.log()


def test_what_a_client_was_told_goes_with_its_session(client: AcpClient) -> None:
    client.initialize()
    client.new_session()
    client.http.delete(client.path)
    client.initialize()
    acp_id = client.new_session()
    client.result("session/close", {"sessionId": acp_id})
    session = client.http.get("/v1/sessions").json()["sessions"][0]
    client.http.delete(f"/v1/sessions/{session['id']}?purge=true")
    until(lambda: client.http.get(client.path).status_code == 404)


@pytest.mark.real_agent
def test_claude_code_asks_works_and_comes_back(
    tmp_path: Path,
    make_server: Callable[..., ServerProcess],
    claude_binary: Path,
    scripted_llm: ScriptedLLM,
) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    env = "\n".join(f"{k} = {json.dumps(v)}" for k, v in claude_env(home, scripted_llm).items())
    config = f"[agents.claude]\ncommand = {json.dumps([str(claude_binary)])}\n[agents.claude.env]\n{env}\n"
    server = make_server(config=config).start()
    with AcpClient(server, "claude", agent="claude") as client:
        client.initialize()
        session_id = client.new_session(workspace)
        with client.stream() as stream:
            wanted = prompt_of(session_id, "SCENARIO:tool SHELL<<touch made && echo made>>")
            with client.asking("session/prompt", wanted) as answers:
                asked = stream.wait_for("session/request_permission")
                (once,) = [o for o in asked["params"]["options"] if o["kind"] == "allow_once"]
                outcome = {"outcome": "selected", "optionId": once["optionId"]}
                client.respond(asked["id"], {"outcome": outcome})
            assert answers[0]["result"]["stopReason"] == "end_turn"
            assert (workspace / "made").exists()
            assert (
                client.result("session/set_mode", {"sessionId": session_id, "modeId": "plan"}) == {}
            )
            assert client.result("session/close", {"sessionId": session_id}) == {}
            assert client.prompt(session_id, "SCENARIO:text")["result"]["stopReason"] == "end_turn"
        session = client.http.get("/v1/sessions").json()["sessions"][0]
        assert session["continuity"] == "native"
        assert session["mode"] == "plan"
        assert session["usage"]["outputTokens"] > 0
        client.http.delete(client.path)


# Who may


def test_a_token_that_may_not_answer_prompts_and_no_more(
    server: ServerProcess, plain: AcpClient
) -> None:
    made = plain.http.post("/v1/tokens", json={"actor": "lesser", "scopes": ["prompt"]}).json()
    with AcpClient(server, "lesser", agent="plain") as lesser:
        lesser.http.headers["authorization"] = f"Bearer {made['token']}"
        lesser.initialize()
        session_id = lesser.new_session()
        given = [{"name": "x", "command": "true", "args": [], "env": []}]
        for method, params in (
            ("session/new", {"cwd": "/tmp", "mcpServers": given}),
            ("session/set_mode", {"sessionId": session_id, "modeId": "plan"}),
        ):
            assert lesser.call(method, params)["error"]["data"]["code"] == "permission_denied"
        with lesser.stream() as stream:
            with lesser.asking("session/prompt", prompt_of(session_id, "permission")) as answers:
                asked = stream.wait_for("session/request_permission")
                outcome = {"outcome": "selected", "optionId": "yes"}
                lesser.respond(asked["id"], {"outcome": outcome})
                refused = stream.wait_for("_adapter/answer_refused")["params"]
                assert refused["requestId"] == asked["id"]
                lesser.notify("session/cancel", {"sessionId": session_id})
            assert answers[0]["result"]["stopReason"] in ("cancelled", "end_turn")
        lesser.http.headers["authorization"] = plain.http.headers["authorization"]
        lesser.http.delete(lesser.path)


def test_a_token_that_may_only_read_cannot_speak(server: ServerProcess, plain: AcpClient) -> None:
    made = plain.http.post("/v1/tokens", json={"actor": "reader", "scopes": ["read"]}).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    assert plain.http.get("/v1/acp", headers=headers).status_code == 200
    answer = plain.http.post(plain.path, json={}, headers=headers)
    assert answer.status_code == 403
    assert plain.http.delete(plain.path, headers=headers).status_code == 403
