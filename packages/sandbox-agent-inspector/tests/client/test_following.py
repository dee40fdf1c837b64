"""The stores of the TypeScript client against the real server, which is killed and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from follower import Follower
from support.ports import free_port
from support.server import ServerProcess


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """At the same address after a restart."""
    directory: Path = tmp_path_factory.mktemp("following")
    server = ServerProcess(directory, arguments=("--port", str(free_port()))).start()
    yield server
    server.stop()


@pytest.fixture
def follower(node_program: Any, lasting_server: ServerProcess) -> Iterator[Follower]:
    follower = Follower(node_program, lasting_server)
    yield follower
    follower.close()


def _transcript(server: ServerProcess, session_id: str) -> Any:
    with server.client() as client:
        return client.get(f"/v1/sessions/{session_id}/transcript").json()


def _ends(seen: dict[str, Any]) -> list[str | None]:
    return [turn.get("stopReason") for turn in seen["transcript"]["turns"] if "id" in turn]


def _seqs(server: ServerProcess, session_id: str) -> list[int]:
    return [
        event["seq"]
        for event in server.events(session_id)
        if event["type"] not in ("message.delta", "reasoning.delta")
    ]


def test_a_session_is_followed_over_the_death_of_the_server(
    lasting_server: ServerProcess, follower: Follower
) -> None:
    server = lasting_server
    watched, other = server.create(), server.create()
    purged = server.create()
    follower.ask("open", id=watched)
    follower.until(lambda seen: seen["state"] == "ready", watched)
    follower.until(lambda seen: {one["id"] for one in seen["sessions"]} >= {watched, other, purged})
    assert "turnId" in follower.ask("send", id=watched, text="stream 2000 5")
    follower.until(lambda seen: seen["seqs"][-1:] and seen["activity"].get(watched), watched)
    streaming = follower.until(
        lambda seen: any(
            item.get("streaming") for turn in seen["transcript"]["turns"] for item in turn["items"]
        ),
        watched,
    )
    assert streaming["connection"]["state"] == "live"

    server.kill()
    follower.until(lambda seen: seen["connection"]["state"] == "reconnecting")
    waiting = follower.begin("send", id=watched, text="text")
    follower.until(lambda seen: [one["state"] for one in seen["outbox"]] == ["waiting"], watched)

    server.start()
    made = server.create()
    with server.client() as client:
        assert client.delete(f"/v1/sessions/{purged}", params={"purge": "true"}).status_code == 204
    server.prompt(other, "text")
    accepted = follower.end(waiting)
    assert "turnId" in accepted, accepted
    follower.until(lambda seen: _ends(seen) == ["interrupted", "end_turn"], watched)
    # More may come after the end of a turn: what has changed in files.
    seen = follower.until(
        lambda seen: (
            seen["seqs"] == _seqs(server, watched)
            and seen["transcript"] == _transcript(server, watched)
            and {one["id"] for one in seen["sessions"]} == {watched, other, made}
        ),
        watched,
    )
    assert seen["connection"]["state"] == "live"
    assert seen["outbox"] == []
    follower.until(
        lambda seen: (
            {one["id"]: one["lastSeq"] for one in seen["sessions"]}[other]
            == server.entries(other)[-1]["seq"]
        )
    )


def test_what_waits_for_a_person_is_listed_and_goes_when_somebody_answers(
    lasting_server: ServerProcess, follower: Follower
) -> None:
    server = lasting_server
    session_id = server.create(permissionPolicy={"default": "ask"})
    follower.until(lambda seen: session_id in {one["id"] for one in seen["sessions"]})
    server.prompt(session_id, "permission", wait=False)
    seen = follower.until(lambda seen: seen["requests"])
    (request,) = seen["requests"]
    assert (request["sessionId"], request["kind"]) == (session_id, "permission")
    follower.until(
        lambda seen: {one["id"]: one["status"] for one in seen["sessions"]}[session_id] == "waiting"
    )
    with server.client() as client:
        path = f"/v1/sessions/{session_id}/requests/{request['id']}"
        assert client.post(path, json={"reply": "once"}).status_code == 200
    follower.until(
        lambda seen: (
            not seen["requests"]
            and {one["id"]: one["status"] for one in seen["sessions"]}[session_id] == "idle"
        )
    )


def test_a_session_that_is_opened_while_it_speaks_has_what_was_said_before(
    lasting_server: ServerProcess, follower: Follower
) -> None:
    server = lasting_server
    session_id = server.create()
    server.prompt(session_id, "text")
    server.prompt(session_id, "stream 400 10", wait=False)
    follower.until(
        lambda seen: {one["id"]: one["lastSeq"] for one in seen["sessions"]}.get(session_id, 0) > 5
    )
    follower.ask("open", id=session_id)
    seen = follower.until(lambda seen: seen["state"] == "ready", session_id)
    (item,) = seen["transcript"]["turns"][-1]["items"]
    said = item["text"]
    assert said
    follower.until(lambda seen: seen["transcript"]["turns"][-1].get("stopReason"), session_id)
    seen = follower.until(
        lambda seen: seen["transcript"] == _transcript(server, session_id), session_id
    )
    assert seen["transcript"]["turns"][-1]["items"][0]["text"].startswith(said)
    assert seen["complete"]


def test_a_session_that_is_not_there_is_missing(
    lasting_server: ServerProcess, follower: Follower
) -> None:
    follower.ask("open", id="ses_nothing")
    assert (
        follower.until(lambda seen: seen["state"] != "loading", "ses_nothing")["state"] == "missing"
    )
    assert lasting_server.url
