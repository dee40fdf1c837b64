"""`/v1/acp`: an ACP client over HTTP, on the same sessions and logs as everything else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from support.acp_client import AcpClient, prompt_of
from support.server import ServerProcess, until

_IDS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[AcpClient]:
    """One that the server has never seen."""
    with AcpClient(server, f"client/{next(_IDS)}") as client:
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
