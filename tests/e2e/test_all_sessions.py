"""What happens in all sessions of a server, and what waits in them, over HTTP against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.server import ServerProcess, until
from websockets.sync.client import connect as connect_websocket

Event = dict[str, Any]


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


class Stream:
    """A stream of server-sent events, and the id that a browser would send when it comes again."""

    def __init__(
        self, client: httpx.Client, query: str = "", *, last_id: str | None = None
    ) -> None:
        headers = {"accept": "text/event-stream"}
        if last_id is not None:
            headers["last-event-id"] = last_id
        self._opened = client.stream("GET", f"/v1/events?{query}", headers=headers)
        self._lines = self._opened.__enter__().iter_lines()
        self.last_id = last_id

    def close(self) -> None:
        self._opened.__exit__(None, None, None)

    def blocks(self) -> Iterator[dict[str, str]]:
        block: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line and name:
                block[name] = value
            elif block:
                self.last_id = block.get("id", self.last_id)
                yield block
                block = {}

    def events(self) -> Iterator[Event]:
        for block in self.blocks():
            if "event" not in block and "data" in block:
                yield json.loads(block["data"])

    def until_checkpoint(self) -> str:
        for block in self.blocks():
            if block.get("event") == "checkpoint":
                assert json.loads(block["data"]) == {"cursor": block["id"]}
                return block["id"]
        raise AssertionError("the stream ended")

    def until_ended(self, *session_ids: str) -> list[Event]:
        """Up to the end of a turn in each."""
        seen: list[Event] = []
        missing = set(session_ids)
        for event in self.events():
            seen.append(event)
            if event["type"] == "turn.ended":
                missing.discard(event["sessionId"])
            if not missing:
                return seen
        raise AssertionError(f"the stream ended before {missing}")


def of(events: list[Event], session_id: str) -> list[Event]:
    return [event for event in events if event["sessionId"] == session_id]


def log_of(client: httpx.Client, session_id: str, **query: Any) -> list[Event]:
    page = client.get(f"/v1/sessions/{session_id}/events", params={"limit": 1000, **query}).json()
    assert not page["hasMore"]
    events: list[Event] = page["events"]
    return events


def test_a_stream_has_all_sessions_also_those_that_are_made_meanwhile(
    server: ServerProcess, client: httpx.Client
) -> None:
    old = server.create()
    stream = Stream(client)
    stream.until_checkpoint()
    new = server.create()
    server.prompt(old, "hello")
    server.prompt(new, "hello")
    events = stream.until_ended(old, new)
    stream.close()
    assert of(events, new) == log_of(client, new)[: len(of(events, new))]
    assert of(events, old)[0]["seq"] > 1
    kept = {event["seq"] for event in log_of(client, old)}
    assert {event["seq"] for event in of(events, old)} <= kept


def test_pages_give_everything_that_is_kept_and_end(
    server: ServerProcess, client: httpx.Client
) -> None:
    ids = [server.create() for _ in range(3)]
    for session_id in ids:
        server.prompt(session_id, "hello")
    events: list[Event] = []
    page: dict[str, Any] = {"nextCursor": "0", "hasMore": True}
    while page["hasMore"]:
        page = client.get("/v1/events", params={"after": page["nextCursor"], "limit": 7}).json()
        assert len(page["events"]) <= 7
        events += page["events"]
    for session_id in ids:
        assert of(events, session_id) == log_of(client, session_id)
    again = client.get("/v1/events", params={"after": page["nextCursor"]}).json()
    assert again["events"] == []
    server.prompt(ids[0], "more")
    more = client.get("/v1/events", params={"after": again["nextCursor"], "limit": 1000}).json()
    assert (
        events + of(more["events"], ids[0])
        == events + log_of(client, ids[0])[len(of(events, ids[0])) :]
    )


def test_without_a_cursor_a_page_says_where_now_is(
    server: ServerProcess, client: httpx.Client
) -> None:
    session_id = server.create()
    now = client.get("/v1/events").json()
    assert now["events"] == []
    server.prompt(session_id, "hello")
    page = client.get("/v1/events", params={"after": now["nextCursor"], "limit": 1000}).json()
    assert page["events"][0]["type"] in ("turn.queued", "turn.started")
    assert page["events"][-1]["type"] == "turn.ended"


def test_a_page_waits_for_what_is_asked_for(server: ServerProcess, client: httpx.Client) -> None:
    session_id = server.create()
    now = client.get("/v1/events").json()["nextCursor"]
    query = {"after": now, "wait": "0.3", "types": "turn.ended"}
    empty = client.get("/v1/events", params=query).json()
    assert empty["events"] == []
    server.prompt(session_id, "slow 1", wait=False)
    query |= {"after": empty["nextCursor"], "wait": "30"}
    (event,) = client.get("/v1/events", params=query).json()["events"]
    assert (event["type"], event["sessionId"]) == ("turn.ended", session_id)


def test_a_frame_is_as_in_the_log_with_its_session(
    server: ServerProcess, client: httpx.Client
) -> None:
    now = client.get("/v1/events").json()["nextCursor"]
    session_id = server.create()
    page = client.get("/v1/events", params={"after": now, "view": "frames", "limit": 1000}).json()
    frames = [{"sessionId": session_id, **one} for one in log_of(client, session_id, view="frames")]
    assert of(page["events"], session_id) == frames


def test_only_what_is_asked_for_comes(server: ServerProcess, client: httpx.Client) -> None:
    now = client.get("/v1/events").json()["nextCursor"]
    session_id = server.create()
    server.prompt(session_id, "hello")

    def types(**query: str) -> list[str]:
        page = client.get("/v1/events", params={"after": now, "limit": 1000, **query}).json()
        return [event["type"] for event in of(page["events"], session_id)]

    everything = types()
    assert types(types="turn.ended,session.created") == ["session.created", "turn.ended"]
    assert types(types="turn.*") == [one for one in everything if one.startswith("turn.")]
    assert types(deltas="false") == [one for one in everything if not one.endswith(".delta")]
    assert types(agent="mock") == everything
    assert types(agent="claude") == []
    assert client.get("/v1/events?types=turn.begun").json()["type"].endswith(":invalid_request")
    assert client.get("/v1/events?after=yesterday").status_code == 400


def test_deltas_come_of_the_sessions_that_are_looked_at(
    server: ServerProcess, client: httpx.Client
) -> None:
    shown, other = server.create(), server.create()
    start = client.get("/v1/events").json()["nextCursor"]
    for session_id in (shown, other):
        server.prompt(session_id, "text")

    def with_deltas(**query: str) -> set[str]:
        answer = client.get("/v1/events", params={"after": start, "limit": 1000, **query})
        kinds = [(event["sessionId"], event["type"]) for event in answer.json()["events"]]
        assert {(id, "message.completed") for id in (shown, other)} <= set(kinds)
        return {id for id, kind in kinds if kind == "message.delta"}

    assert with_deltas() == with_deltas(deltasOf="") == {shown, other}
    assert with_deltas(deltasOf=shown) == with_deltas(deltas="false", deltasOf=shown) == {shown}
    assert with_deltas(deltasOf=f"{shown},{other}") == {shown, other}
    assert with_deltas(deltas="false") == with_deltas(deltasOf="ses_nobody") == set()


def test_after_the_death_of_the_server_a_stream_goes_on_at_its_last_id(make_server: Any) -> None:
    server = make_server().start()
    with server.client() as client:
        resting, running = server.create(), server.create()
        server.prompt(resting, "hello")
        stream = Stream(client, "after=0")
        seen = stream.until_ended(resting)
        server.prompt(running, "slow", wait=False)
        for event in stream.events():
            seen.append(event)
            if event["type"] == "message.delta" and event["sessionId"] == running:
                break
        server.kill()
        with pytest.raises(httpx.HTTPError):
            seen += list(stream.events())
    server.start()
    with server.client() as client:
        last_id = stream.last_id
        assert last_id is not None
        stream = Stream(client, last_id=last_id)
        rest = stream.until_ended(running)
        server.prompt(resting, "again")
        rest += stream.until_ended(resting)
        stream.close()
        for session_id in (resting, running):
            before, after = of(seen, session_id), of(rest, session_id)
            # What came after the last id comes again, and nothing else does.
            fresh = [event for event in after if event["seq"] > max(one["seq"] for one in before)]
            assert before + fresh == log_of(client, session_id)[: len(before + fresh)]


def test_a_websocket_has_the_same(server: ServerProcess, client: httpx.Client) -> None:
    url = server.url.replace("http", "ws") + "/v1/events?types=turn.ended"
    with connect_websocket(url, additional_headers=server.headers) as websocket:
        first = json.loads(websocket.recv(30))
        session_id = server.create()
        server.prompt(session_id, "hello")
        messages = [json.loads(websocket.recv(30))]
        while messages[-1]["type"] != "event" or messages[-1]["event"]["sessionId"] != session_id:
            messages.append(json.loads(websocket.recv(30)))
        websocket.send('{"type":"prompt","id":"1","text":"hello"}')
        while messages[-1]["type"] != "error":
            messages.append(json.loads(websocket.recv(30)))
        while messages[-1]["type"] != "heartbeat":
            messages.append(json.loads(websocket.recv(30)))
    assert first["type"] == "checkpoint"
    assert messages[-1] == {"type": "heartbeat"}
    page = client.get("/v1/events", params={"after": first["cursor"], "types": "turn.ended"}).json()
    (event,) = of(page["events"], session_id)
    assert {"type": "event", "event": event} in messages


def test_whoever_may_read_may_follow_all_and_nobody_else(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as nobody:
        assert nobody.get("/v1/events").status_code == 401
        assert nobody.get("/v1/requests").status_code == 401


def test_what_waits_in_all_sessions_is_listed_oldest_first_in_pages(
    server: ServerProcess, client: httpx.Client
) -> None:
    assert client.get("/v1/requests").json() == {"requests": []}
    ids = [server.create() for _ in range(3)]
    for count, session_id in enumerate(ids, start=1):
        server.prompt(session_id, "permission", wait=False)
        until(lambda count=count: len(client.get("/v1/requests").json()["requests"]) == count)
    first = client.get("/v1/requests?limit=2").json()
    rest = client.get("/v1/requests", params={"limit": 2, "cursor": first["nextCursor"]}).json()
    waiting = first["requests"] + rest["requests"]
    assert [one["sessionId"] for one in waiting] == ids
    assert "nextCursor" not in rest
    assert client.get("/v1/requests?kind=question,hook").json()["requests"] == []
    assert client.get("/v1/requests?agent=claude").json()["requests"] == []
    for bad in ("kind=wish", "cursor=x", "limit=0"):
        assert client.get(f"/v1/requests?{bad}").status_code == 400
    one = waiting[1]
    path = f"/v1/sessions/{one['sessionId']}/requests/{one['id']}"
    assert client.post(path, json={"reply": "once"}).status_code == 200
    left = client.get("/v1/requests?agent=mock&kind=permission").json()["requests"]
    assert [one["sessionId"] for one in left] == [ids[0], ids[2]]
    for session_id in ids:
        client.delete(f"/v1/sessions/{session_id}")
    assert client.get("/v1/requests").json() == {"requests": []}
