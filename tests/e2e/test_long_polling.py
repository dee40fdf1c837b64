"""Pages of events that are waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.fixtures import make_server as make_server
from support.server import ServerProcess, until

LONG_S = 25
"""Longer than the tests would wait for anything."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    one = ["--limit", "max_subscribers=1"]
    process = ServerProcess(tmp_path_factory.mktemp("server"), arguments=one).start()
    yield process
    process.stop()


class Waiting(threading.Thread):
    """Waits for a page of events after the cursor."""

    def __init__(self, server: ServerProcess, session_id: str, after: int) -> None:
        super().__init__()
        self._client = server.client()
        self._ask = (f"/v1/sessions/{session_id}/events", {"after": after, "wait": LONG_S})
        self.page: dict[str, Any] | None = None

    def run(self) -> None:
        with self._client as client:
            self.page = client.get(self._ask[0], params=self._ask[1]).json()


def is_waited_for(server: ServerProcess, session_id: str) -> bool:
    """There is one stream at a time here."""
    with server.client() as client:
        answer = client.get(
            f"/v1/sessions/{session_id}/events", params={"after": 1 << 39, "wait": 0.001}
        )
    return answer.status_code == 429


def last_seq(server: ServerProcess, session_id: str) -> int:
    with server.client() as client:
        seq: int = client.get(f"/v1/sessions/{session_id}").json()["lastSeq"]
    return seq


def test_a_page_without_events_waits_for_one(server: ServerProcess) -> None:
    session_id = server.create()
    after = last_seq(server, session_id)
    waiting = Waiting(server, session_id, after)
    waiting.start()
    until(lambda: is_waited_for(server, session_id))
    server.prompt(session_id, "hello", wait=False)
    waiting.join(LONG_S - 5)
    assert waiting.page is not None
    assert waiting.page["events"][0]["seq"] > after
    assert waiting.page["nextCursor"] >= waiting.page["events"][-1]["seq"]


def test_a_page_with_events_does_not_wait(server: ServerProcess) -> None:
    session_id = server.create()
    with server.client(timeout=LONG_S - 5) as client:
        page = client.get(f"/v1/sessions/{session_id}/events", params={"wait": LONG_S}).json()
    assert page["events"][0]["seq"] == 1


def test_when_nothing_comes_the_page_is_empty_and_the_cursor_stays(server: ServerProcess) -> None:
    session_id = server.create()
    after = last_seq(server, session_id)
    with server.client() as client:
        asked = {"after": after, "wait": 0.05}
        page = client.get(f"/v1/sessions/{session_id}/events", params=asked).json()
    assert page == {"events": [], "nextCursor": after, "hasMore": False}


def test_whoever_leaves_waits_no_longer(server: ServerProcess) -> None:
    session_id = server.create()
    after = last_seq(server, session_id)
    asked = {"after": after, "wait": LONG_S}
    with server.client(timeout=0.2) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"/v1/sessions/{session_id}/events", params=asked)
    until(lambda: not is_waited_for(server, session_id))


def test_a_session_that_is_deleted_is_not_waited_for(server: ServerProcess) -> None:
    session_id = server.create()
    waiting = Waiting(server, session_id, 1 << 39)
    waiting.start()
    until(lambda: is_waited_for(server, session_id))
    with server.client() as client:
        assert client.delete(f"/v1/sessions/{session_id}?purge=true").status_code == 204
    waiting.join(LONG_S - 5)
    assert not waiting.is_alive()


@pytest.mark.parametrize("wait", ["-1", "nan", "1e9", "soon", "1.", "", "inf"])
def test_what_is_no_number_of_seconds_is_refused(server: ServerProcess, wait: str) -> None:
    session_id = server.create()
    with server.client() as client:
        answer = client.get(f"/v1/sessions/{session_id}/events", params={"wait": wait})
    assert answer.status_code == 400
    assert "`wait`" in answer.json()["detail"]


def test_nobody_waits_longer_than_the_server_lets_them(make_server: Any) -> None:
    server = make_server(arguments=["--limit", "max_wait_s=0.1"]).start()
    session_id = server.create()
    with server.client(timeout=LONG_S - 5) as client:
        asked = {"after": 1 << 39, "wait": LONG_S}
        page = client.get(f"/v1/sessions/{session_id}/events", params=asked).json()
        assert client.get("/v1/health").json()["heartbeatS"] == 10
    assert page["events"] == []
