"""Long histories from their end: pages backwards, the list of turns, and which session it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.server import ServerProcess

Event = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as connected:
        yield connected


@pytest.fixture(scope="module")
def long_session(server: ServerProcess) -> str:
    session_id = server.create()
    for prompt in ("tool the first thing", "stream 700", "text the last thing"):
        server.prompt(session_id, prompt)
    return session_id


def page(client: httpx.Client, session_id: str, **params: Any) -> dict[str, Any]:
    answer = client.get(f"/v1/sessions/{session_id}/events", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("view", ["universal", "frames"])
@pytest.mark.parametrize("deltas", ["true", "false"])
@pytest.mark.parametrize("limit", [7, 300, 1000])
def test_pages_backwards_give_what_pages_forwards_do(
    client: httpx.Client, long_session: str, view: str, deltas: str, limit: int
) -> None:
    query = {"view": view, "deltas": deltas, "limit": limit}
    forwards: list[Event] = []
    after, has_more = 0, True
    while has_more:
        found = page(client, long_session, after=after, **query)
        assert "previousCursor" not in found
        forwards += found["events"]
        after, has_more = found["nextCursor"], found["hasMore"]
    backwards: list[Event] = []
    before: int | None = (1 << 40) - 1
    sizes = []
    while before is not None:
        found = page(client, long_session, before=before, **query)
        assert all(event["seq"] < before for event in found["events"])
        backwards = found["events"] + backwards
        sizes.append(len(found["events"]))
        before = found.get("previousCursor")
    assert backwards == forwards
    # All are full but the one at the beginning.
    assert set(sizes[:-1]) <= {limit}


def test_a_page_backwards_goes_on_forwards(client: httpx.Client, long_session: str) -> None:
    found = page(client, long_session, before=500, limit=10)
    assert (found["nextCursor"], found["hasMore"]) == (499, True)
    assert found["events"][-1]["seq"] <= 499
    last = page(client, long_session, before=(1 << 40) - 1, limit=10)
    assert last["hasMore"] is False
    assert last["nextCursor"] == last["events"][-1]["seq"]


def test_a_page_backwards_ends_at_a_cursor(client: httpx.Client, long_session: str) -> None:
    found = page(client, long_session, after=20, before=40, limit=1000)
    assert [event["seq"] for event in found["events"]] == sorted(
        event["seq"] for event in page(client, long_session, after=20, limit=1000)["events"] if event["seq"] < 40
    )  # fmt: skip
    assert "previousCursor" not in found
    nothing = page(client, long_session, before=1)
    assert (nothing["events"], nothing["nextCursor"], nothing["hasMore"]) == ([], 0, True)


def test_a_page_is_no_larger_than_pages_may_be(server: ServerProcess, make_server: Any) -> None:
    small = make_server(arguments=["--limit", "max_page_bytes=20000"]).start()
    session_id = small.create()
    small.prompt(session_id, "burst 40x3000")
    with small.client() as client:
        seen, before = [], (1 << 40) - 1
        while before is not None:
            found = page(client, session_id, before=before, view="frames", limit=1000)
            assert found["events"], "one is always given"
            seen = [event["seq"] for event in found["events"]] + seen
            before = found.get("previousCursor")
    assert seen == [entry["seq"] for entry in small.entries(session_id)]


@pytest.mark.parametrize("before", ["0", "-1", "x", ""])
def test_what_is_no_place_is_refused(client: httpx.Client, long_session: str, before: str) -> None:
    answer = client.get(f"/v1/sessions/{long_session}/events", params={"before": before})
    assert answer.status_code == 400
    assert "before" in answer.json()["detail"]


def test_a_stream_has_no_end_to_begin_from(client: httpx.Client, long_session: str) -> None:
    answer = client.get(
        f"/v1/sessions/{long_session}/events",
        params={"before": 10},
        headers={"accept": "text/event-stream"},
    )
    assert answer.status_code == 400


def test_turns_are_listed_with_their_place_and_their_words(
    server: ServerProcess, client: httpx.Client, long_session: str
) -> None:
    turns = client.get(f"/v1/sessions/{long_session}/turns").json()["turns"]
    assert [turn["prompt"] for turn in turns] == [
        "tool the first thing",
        "stream 700",
        "text the last thing",
    ]
    started = server.events(long_session, "turn.started")
    assert [turn["seq"] for turn in turns] == [event["seq"] for event in started]
    assert [turn["startedAt"] for turn in turns] == [event["time"] for event in started]
    assert {turn["status"] for turn in turns} == {"ended"}
    assert {turn["stopReason"] for turn in turns} == {"end_turn"}


def test_turns_come_in_pages_both_ways(client: httpx.Client, long_session: str) -> None:
    path = f"/v1/sessions/{long_session}/turns"
    every = client.get(path).json()
    assert set(every) == {"turns"}
    first = client.get(path, params={"limit": 2}).json()
    rest = client.get(path, params={"limit": 2, "after": first["nextCursor"]}).json()
    assert first["turns"] + rest["turns"] == every["turns"]
    assert "nextCursor" not in rest
    last = client.get(path, params={"limit": 2, "before": 1 << 39}).json()
    front = client.get(path, params={"limit": 2, "before": last["previousCursor"]}).json()
    assert front["turns"] + last["turns"] == every["turns"]
    assert "previousCursor" not in front


def test_a_list_of_turns_follows_the_session(server: ServerProcess, client: httpx.Client) -> None:
    session_id = server.create()
    path = f"/v1/sessions/{session_id}/turns"
    assert client.get(path).json() == {"turns": []}
    server.prompt(session_id, "slow", wait=False)
    queued = server.prompt(session_id, "text later", wait=False)["turnId"]
    dropped = server.prompt(session_id, "text never", wait=False)["turnId"]
    listed = client.get(path).json()["turns"]
    assert [(turn["status"], turn["prompt"]) for turn in listed] == [
        ("running", "slow"), ("queued", "text later"), ("queued", "text never"),
    ]  # fmt: skip
    client.post(
        f"/v1/sessions/{session_id}/cancel", json={"turnId": dropped}, params={"wait": "true"}
    )
    client.post(
        f"/v1/sessions/{session_id}/cancel",
        json={"turnId": listed[0]["id"]},
        params={"wait": "true"},
    )
    client.get(f"/v1/sessions/{session_id}/events", params={"wait": 5})
    server.prompt(session_id, "text the end")
    turns = {turn["id"]: turn for turn in client.get(path).json()["turns"]}
    assert turns[dropped]["status"] == "ended"
    assert "startedAt" not in turns[dropped]
    assert (turns[queued]["status"], turns[queued]["stopReason"]) == ("ended", "end_turn")
    assert "queuedAt" in turns[queued]


def test_turns_of_nobody_are_not_found(client: httpx.Client) -> None:
    assert client.get("/v1/sessions/ses_nobody/turns").status_code == 404


def test_a_session_is_called_by_its_prompts_until_it_has_a_title(make_server: Any) -> None:
    server = make_server().start()
    session_id = server.create()
    with server.client() as client:
        info = client.get(f"/v1/sessions/{session_id}").json()
        assert not {"firstPrompt", "lastPrompt", "title"} & set(info)
        server.prompt(session_id, "text  the\nfirst   thing " + "x" * 500)
        server.prompt(session_id, "text the last thing")
        info = client.get(f"/v1/sessions/{session_id}").json()
    assert info["firstPrompt"].startswith("text the first thing xxx")
    assert len(info["firstPrompt"]) == 200
    assert info["lastPrompt"] == "text the last thing"
    server.kill()
    server.start()
    with server.client() as client:
        again = client.get(f"/v1/sessions/{session_id}").json()
    assert [again[name] for name in ("firstPrompt", "lastPrompt")] == [
        info[name] for name in ("firstPrompt", "lastPrompt")
    ]


def test_sessions_are_found_by_what_a_person_remembers(make_server: Any) -> None:
    server = make_server().start()
    auth = server.create(title="Fix the Login", metadata={"team": "core", "ticket": 4711})
    docs = server.create(id="docs-site")
    server.prompt(docs, "text Ärgerliche Umlaute in the README")

    def found(q: str, **more: str) -> set[str]:
        with server.client() as client:
            answer = client.get("/v1/sessions", params={"q": q, **more})
        return {session["id"] for session in answer.json()["sessions"]}

    assert found("login") == found("LOGIN fix") == {auth}
    assert found("readme") == found("ärgerliche") == found("docs-s") == {docs}
    assert found("team:core") == found("ticket:4711") == {auth}
    assert found("mock") == found("") == found("  ") == {auth, docs}
    assert found("login readme") == found("nothing of it") == set()
    assert found("mock", agent="claude") == set()
