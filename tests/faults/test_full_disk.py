"""A disk that is really full, for as long as it likes: no write to the log of a session succeeds."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.server import ServerProcess, until

MakeServer = Callable[..., ServerProcess]
RETRY_S = 0.1


@contextmanager
def full_disk(server: ServerProcess, log: Path) -> Iterator[None]:
    """No file of the server becomes larger than the log is now; the others are much smaller."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    try:
        yield
    finally:
        if Path(f"/proc/{server.pid}").exists():
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def working(make_server: MakeServer) -> tuple[ServerProcess, str, Path]:
    """A server with a session whose agent writes all the time, into a log that is large already."""
    server = make_server(arguments=["--limit", f"storage_retry_s={RETRY_S}"]).start()
    session_id = server.create()
    server.prompt(session_id, "burst 40x20000")
    server.prompt(session_id, "slow 60", wait=False)
    server.prompt(session_id, "text", wait=False)
    until(lambda: len(server.events(session_id, "turn.started")) == 2)
    return server, session_id, server.data_dir / "sessions" / session_id / "log.jsonl"


def info(server: ServerProcess, session_id: str) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"/v1/sessions/{session_id}").json()
        return found


def ends(server: ServerProcess, session_id: str) -> list[str]:
    events = server.events(session_id, "turn.ended", "turn.dropped")
    turns = [event["turnId"] for event in events]
    assert len(turns) == len(set(turns))
    return turns


def refused(server: ServerProcess, session_id: str) -> None:
    with server.client() as client:
        path = f"/v1/sessions/{session_id}"
        for answer in (
            client.post(f"{path}/prompt", json={"text": "hi"}),
            client.post(f"{path}/resume", json={}),
            client.patch(path, json={"metadata": {"a": 1}}),
        ):
            assert answer.status_code == 507, answer.text
            assert answer.json()["type"].endswith(":storage_error")


@pytest.mark.fault(
    "the disk is full for longer than an agent is held back",
    "its turn has one end, `storage_error`, once there is space; no agent is started meanwhile, and then the "
    "queue goes on",
)
def test_a_turn_has_one_end_however_long_the_disk_is_full(
    working: tuple[ServerProcess, str, Path],
) -> None:
    server, session_id, log = working
    with full_disk(server, log):
        until(lambda: info(server, session_id)["status"] == "dormant")
        refused(server, session_id)
        assert ends(server, session_id) == [server.events(session_id, "turn.started")[0]["turnId"]]
    until(lambda: len(ends(server, session_id)) == 3)
    second, third = server.events(session_id, "turn.ended")[1:]
    assert (second["data"]["stopReason"], third["data"]["stopReason"]) == ("error", "end_turn")
    assert second["data"]["error"]["code"] == "storage_error"
    assert len(server.events(session_id, "agent.started")) == 2
    assert len(server.events(session_id, "agent.exited")) == 1
    assert "Traceback" not in server.log()


@pytest.mark.fault(
    "the server is killed, or stopped, while the disk is full",
    "the next server gives the turn its one end",
)
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_that_ends_while_the_disk_is_full_leaves_the_end_to_the_next(
    working: tuple[ServerProcess, str, Path], how: str
) -> None:
    server, session_id, log = working
    with full_disk(server, log):
        until(lambda: info(server, session_id)["status"] == "dormant")
        getattr(server, how)()
    server.start()
    assert len(ends(server, session_id)) == 3
    assert len(server.events(session_id, "agent.exited")) == 1
    assert info(server, session_id)["status"] == "dormant"
    assert server.prompt(session_id, "text")["stopReason"] == "end_turn"


@pytest.mark.fault(
    "a session is ended while the disk is full",
    "507, its agent is gone, and it has not ended; ended again with space it has, once; purging works at once",
)
def test_an_end_that_failed_is_none(working: tuple[ServerProcess, str, Path]) -> None:
    server, session_id, log = working
    other = server.create()
    path = f"/v1/sessions/{session_id}"
    with server.client() as client:
        with full_disk(server, log):
            for _ in range(2):
                answer = client.delete(path)
                assert answer.status_code == 507, answer.text
                assert info(server, session_id)["status"] == "dormant"
                assert "endedAt" not in info(server, session_id)
            assert (
                client.delete(f"/v1/sessions/{other}", params={"purge": "true"}).status_code == 204
            )
        assert client.delete(path).status_code == 204
        assert client.delete(path).status_code == 204
    assert info(server, session_id)["status"] == "ended"
    assert len(ends(server, session_id)) == 3
    assert len(server.events(session_id, "session.ended")) == 1
    assert len(server.events(session_id, "agent.exited")) == 1
