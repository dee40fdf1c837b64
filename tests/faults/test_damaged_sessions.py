"""One session that the disk has damaged never keeps the server, or another session, from its work."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.server import ServerProcess, sse_items

MakeServer = Callable[..., ServerProcess]
DATABASE = "sandbox-agent.db"


def _row(column: str, value: str) -> Callable[[Path, str], None]:
    def damage(data_dir: Path, session_id: str) -> None:
        with sqlite3.connect(data_dir / DATABASE) as db:
            db.execute(f"UPDATE sessions SET {column} = ? WHERE id = ?", (value, session_id))
        db.close()

    return damage


def _state(sql: str) -> Callable[[Path, str], None]:
    def damage(data_dir: Path, session_id: str) -> None:
        with sqlite3.connect(data_dir / DATABASE) as db:
            db.execute(f"UPDATE sessions SET state = {sql} WHERE id = ?", (session_id,))
        db.close()

    return damage


def _log(change: Callable[[Path], None]) -> Callable[[Path, str], None]:
    return lambda data_dir, session_id: change(data_dir / "sessions" / session_id / "log.jsonl")


def _becomes_a_directory(log: Path) -> None:
    log.unlink()
    log.mkdir()
    (log / "in the way").touch()


def _becomes_a_link_to_itself(log: Path) -> None:
    log.unlink()
    log.symlink_to(log)


def _whole_directory_becomes_a_file(log: Path) -> None:
    shutil.rmtree(log.parent)
    log.parent.write_bytes(b"in the way")


def _begins_with_garbage(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([b"garbage\n", *lines[1:]]))


UNREADABLE = {
    "its log is gone": _log(lambda log: log.unlink()),
    "its directory is gone": _log(lambda log: shutil.rmtree(log.parent)),
    "its log is empty": _log(lambda log: log.write_bytes(b"")),
    "its log is garbage": _log(lambda log: log.write_bytes(b"\0garbage\xff\n" * 99)),
    "its log is valid JSON of something else": _log(
        lambda log: log.write_bytes(b'{"seq":1}\n' * 9)
    ),
    "its log is a directory": _log(_becomes_a_directory),
    "its log cannot be opened": _log(_becomes_a_link_to_itself),
    "its directory is a file": _log(_whole_directory_becomes_a_file),
}
MADE_GOOD = {
    "its row is no JSON": _state("'{'"),
    "its row is a list": _state("'[]'"),
    "its row lacks members": _state("json_remove(state, '$.turnSeq', '$.settings.cwd')"),
    "its row has members of other types": _state("json_set(state, '$.pending', 'x', '$.queued', 7)"),
    "its row lacks its settings": _state("json_set(state, '$.settings', null)"),
    "its row counts in words": _row("seq", "many"),
    "its row has another size": _row("size_bytes", "7"),
    "its row has a time of before": _row("updated_ms", "-5"),
}  # fmt: skip


@pytest.mark.fault(
    "the log of a session is gone, empty, garbage, a directory, or cannot be opened",
    "it is listed as `damaged` with the reason, refuses prompts (409 `session_damaged`) and can be purged; "
    "all others work",
)
@pytest.mark.parametrize("index", ["kept", "lost"])
def test_a_session_whose_log_cannot_be_read_is_said_to_be_damaged(
    make_server: MakeServer, index: str
) -> None:
    server = make_server().start()
    sound = server.create()
    server.prompt(sound, "text")
    damaged = {}
    for what in UNREADABLE:
        damaged[server.create(metadata={"what": what})] = what
    server.stop()
    for session_id, what in damaged.items():
        UNREADABLE[what](server.data_dir, session_id)
    if index == "lost":
        for path in server.data_dir.glob(DATABASE + "*"):
            path.unlink()
        # Of these nothing is left that a session could be known by.
        nothing_left = {"its directory is gone", "its log is gone", "its directory is a file"}
        damaged = {id: what for id, what in damaged.items() if what not in nothing_left}

    server.start()
    with server.client() as client:
        listed = {one["id"]: one for one in client.get("/v1/sessions").json()["sessions"]}
        assert set(listed) == {sound, *damaged}
        assert listed[sound]["status"] == "dormant"
        for session_id, what in damaged.items():
            path = f"/v1/sessions/{session_id}"
            assert listed[session_id]["status"] == "damaged", what
            assert listed[session_id]["damage"], what
            assert client.get(path).json() == listed[session_id]
            for answer in (
                client.post(f"{path}/prompt", json={"text": "hi"}),
                client.post(f"{path}/resume", json={}),
                client.post(f"{path}/cancel", json={}),
                client.patch(path, json={"metadata": {}}),
                client.delete(path),
            ):
                assert answer.status_code == 409, (what, answer.text)
                assert answer.json()["type"].endswith(":session_damaged")
            for view in ("frames", "universal"):
                events = client.get(f"{path}/events", params={"view": view})
                assert events.status_code in (200, 409), (what, events.text)
            assert client.get(f"{path}/requests").status_code in (200, 409)
            assert client.post("/v1/sessions", json={"agent": "mock", "id": session_id}).status_code == 409  # fmt: skip
        assert server.prompt(sound, "text")["stopReason"] == "end_turn"
        for session_id in damaged:
            purged = client.delete(f"/v1/sessions/{session_id}", params={"purge": "true"})
            assert purged.status_code == 204, purged.text
            assert client.get(f"/v1/sessions/{session_id}").status_code == 404
        assert [one["id"] for one in client.get("/v1/sessions").json()["sessions"]] == [sound]
    assert "Traceback" not in server.log()
    server.stop()
    for session_id in damaged:
        assert not (server.data_dir / "sessions" / session_id).exists()


@pytest.mark.fault(
    "the row of a session in the index is damaged", "it is read from the log, which has it all"
)
def test_a_session_whose_row_is_damaged_is_read_from_its_log(make_server: MakeServer) -> None:
    server = make_server().start()
    with server.client() as client:
        for what in MADE_GOOD:
            client.post("/v1/sessions", json={"agent": "mock", "metadata": {"what": what}})
    server.stop()
    server.start()
    with server.client() as client:
        before: dict[str, Any] = {
            one["id"]: one for one in client.get("/v1/sessions").json()["sessions"]
        }
    server.stop()
    for session_id, info in before.items():
        MADE_GOOD[info["metadata"]["what"]](server.data_dir, session_id)
    server.start()
    with server.client() as client:
        after = {one["id"]: one for one in client.get("/v1/sessions").json()["sessions"]}
        assert after == before
        assert server.prompt(next(iter(after)), "text")["stopReason"] == "end_turn"
    assert "Traceback" not in server.log()


@pytest.mark.fault(
    "lines inside a log are damaged",
    "`log.damaged` stands in the place of each, all others are read, and the session works on",
)
def test_a_line_inside_a_log_that_is_damaged_is_said_and_the_rest_is_read(
    make_server: MakeServer,
) -> None:
    server = make_server().start()
    session_id = server.create()
    server.prompt(session_id, "tool")
    server.stop()
    log = server.data_dir / "sessions" / session_id / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    hit = len(lines) // 2
    lines[hit] = lines[hit][:30] + b"\0" * 40 + lines[hit][70:]
    log.write_bytes(b"".join(lines))

    server.start()
    entries = server.entries(session_id)
    assert [one["seq"] for one in entries] == list(range(1, len(lines) + 1))
    assert [one["seq"] for one in entries if one["method"].endswith("/log.damaged")] == [hit + 1]
    (damaged,) = server.events(session_id, "log.damaged")
    assert damaged["data"]["lostBytes"] == len(lines[hit]) - 1
    with server.client() as client:
        assert client.get(f"/v1/sessions/{session_id}").json()["status"] == "dormant"
        headers = {"accept": "text/event-stream"}
        with client.stream("GET", f"/v1/sessions/{session_id}/events", headers=headers) as stream:
            for _seq, event in sse_items(stream.iter_lines()):
                if event["type"] == "log.damaged":
                    break
        assert event["seq"] == hit + 1
        notices = client.get(f"/v1/sessions/{session_id}/transcript").text
        assert "log_damaged" in notices
    assert server.prompt(session_id, "text")["stopReason"] == "end_turn"
    assert "Traceback" not in server.log()


@pytest.mark.fault(
    "the index is malformed, cut, or no database", "it is put aside and made again from the logs"
)
@pytest.mark.parametrize("damage", ["malformed", "cut", "no database", "a table is gone"])
def test_an_index_that_is_damaged_is_made_again(make_server: MakeServer, damage: str) -> None:
    server = make_server().start()
    sessions = {server.create() for _ in range(6)}
    server.stop()
    path = server.data_dir / DATABASE
    content = path.read_bytes()
    match damage:
        case "malformed":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + b"\xff" * 8192 + content[middle + 8192 :])
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "no database":
            path.write_bytes(b"this is no database" * 999)
        case _:
            with sqlite3.connect(path) as db:
                db.execute("DROP TABLE requests")
            db.close()
    server.start()
    with server.client() as client:
        listed = client.get("/v1/sessions", params={"limit": 100}).json()["sessions"]
        assert {one["id"] for one in listed} == sessions
        assert {one["status"] for one in listed} == {"dormant"}
    assert "making it again" in server.log()
    assert (server.data_dir / "sandbox-agent.damaged").exists()
    assert "Traceback" not in server.log()
