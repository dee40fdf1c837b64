"""The index: rows that come back as they were saved, from a file that may be lost at any time."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import StorageError
from sandbox_agent_server.store import index as index_module
from sandbox_agent_server.store.index import INDEX_NAME, IndexRow, RequestRow, SessionIndex


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SessionIndex]:
    index = SessionIndex(tmp_path)
    yield index
    index.close()


def row(id: str, **fields: Any) -> IndexRow:
    given = {"seq": 1, "updated_ms": 100, "size_bytes": 10, "is_open": False, "state": {"id": id}}
    return IndexRow(id=id, **{**given, **fields})


def ids(rows: Any) -> list[str]:
    return [one.id for one in rows]


# Rows


def test_a_row_comes_back_as_it_was_saved_and_is_replaced_in_its_place(index: SessionIndex) -> None:
    index.save(row("ses_a", state={"text": "é🦊", "big": 1 << 80, "list": [None, 1.5]}))
    index.save(row("ses_b"))
    index.save(row("ses_a", seq=7, updated_ms=200, size_bytes=99, is_open=True))
    found = index.get("ses_a")
    assert found is not None
    assert found == row("ses_a", seq=7, updated_ms=200, size_bytes=99, is_open=True, key=found.key)
    assert index.get("ses_c") is None
    assert ids(index.page(before_key=None, limit=9)) == ["ses_b", "ses_a"]


def test_pages_are_newest_first_and_go_on_behind_a_key(index: SessionIndex) -> None:
    for number in range(5):
        index.save(row(f"ses_{number}"))
    first = index.page(before_key=None, limit=2)
    assert ids(first) == ["ses_4", "ses_3"]
    index.save(row("ses_new"))
    assert ids(index.page(before_key=first[-1].key, limit=9)) == ["ses_2", "ses_1", "ses_0"]
    assert index.page(before_key=1, limit=9) == []


def test_a_page_of_sessions_is_bounded_in_bytes_and_never_empty(index: SessionIndex) -> None:
    for number in range(4):
        index.save(row(f"ses_{number}", state={"text": "x" * 1000}))
    first = index.page(before_key=None, limit=9, max_bytes=2500)
    assert ids(first) == ["ses_3", "ses_2"]
    assert index.has_before(first[-1].key)
    rest = index.page(before_key=first[-1].key, limit=9, max_bytes=10)
    assert ids(rest) == ["ses_1"]
    (last,) = index.page(before_key=rest[-1].key, limit=9)
    assert not index.has_before(last.key)


def test_requests_come_in_pages_that_are_bounded_in_bytes_and_never_empty(
    index: SessionIndex,
) -> None:
    asked = [RequestRow(id=f"req_{9 - number}", asked={"text": "x" * 1000}) for number in range(4)]
    for one in asked:
        index.save(row("ses_a"), [one])
        index.save(row("ses_b"), [one])
    index.save(row("ses_a"), [replace(asked[0], resolution={"outcome": "selected"})])
    first = index.requests("ses_a", limit=9, max_bytes=2500)
    assert ids(first) == ["req_9", "req_8"]
    assert index.has_requests_after("ses_a", first[-1].key)
    second = index.requests("ses_a", after_key=first[-1].key, limit=1)
    assert ids(second) == ["req_7"]
    third = index.requests("ses_a", after_key=second[-1].key, max_bytes=10)
    assert ids(third) == ["req_6"]
    assert not index.has_requests_after("ses_a", third[-1].key)
    assert index.requests("ses_a", after_key=third[-1].key) == []


def test_what_is_open_is_told_oldest_first_and_never_as_old(index: SessionIndex) -> None:
    index.save(row("ses_a", is_open=True, updated_ms=1))
    index.save(row("ses_b", updated_ms=3))
    index.save(row("ses_c", is_open=True, updated_ms=2))
    index.save(row("ses_d", updated_ms=2, size_bytes=5))
    assert ids(index.open_sessions()) == ["ses_a", "ses_c"]
    assert index.oldest(limit=9) == [("ses_d", 2, 5), ("ses_b", 3, 10)]
    assert index.oldest(limit=1) == [("ses_d", 2, 5)]
    assert index.total_bytes() == 35
    index.save(row("ses_a"))
    assert ids(index.open_sessions()) == ["ses_c"]


def test_requests_are_told_in_the_order_in_which_they_were_asked(index: SessionIndex) -> None:
    index.save(row("ses_a"), [RequestRow(id="req_2", asked={"n": 2})])
    index.save(row("ses_a"), [RequestRow(id="req_1", asked={"n": 1})])
    index.save(row("ses_b"), [RequestRow(id="req_1", asked={"n": 9})])
    resolution = {"decidedBy": "user"}
    index.save(row("ses_a"), [RequestRow(id="req_2", asked={}, resolution=resolution)])
    assert index.requests("ses_a") == [
        RequestRow(id="req_2", asked={"n": 2}, resolution=resolution),
        RequestRow(id="req_1", asked={"n": 1}),
    ]
    assert index.resolution("ses_a", "req_2") == resolution
    assert index.resolution("ses_a", "req_1") is None
    assert index.resolution("ses_b", "req_2") is None


def test_a_deleted_session_leaves_nothing_and_its_key_is_not_given_again_while_newer_ones_are(
    index: SessionIndex,
) -> None:
    index.save(row("ses_a"), [RequestRow(id="req_1", asked={})])
    index.save(row("ses_b"))
    index.delete("ses_a")
    index.delete("ses_a")
    assert index.get("ses_a") is None
    assert index.requests("ses_a") == []
    index.save(row("ses_a"))
    assert ids(index.page(before_key=None, limit=9)) == ["ses_a", "ses_b"]


def test_processes_are_noted_by_owner_and_may_change_it(index: SessionIndex) -> None:
    index.add(10, 1, "pool")
    index.add(11, 1, "ses_a")
    index.add(10, 1, "ses_a")
    index.add(10, 2, "ses_b")
    assert sorted(index.all()) == [(10, 1, "ses_a"), (10, 2, "ses_b"), (11, 1, "ses_a")]
    index.remove("ses_a")
    assert index.all() == [(10, 2, "ses_b")]


def test_what_cannot_be_saved_is_a_storage_error_and_leaves_nothing_half_done(
    index: SessionIndex,
) -> None:
    index.save(row("ses_a"), [RequestRow(id="req_1", asked={"n": 1})])
    (pages,) = index._db.execute("PRAGMA page_count").fetchone()
    index._db.execute(f"PRAGMA max_page_count={pages}")
    big = {"x": "y" * 1_000_000}
    with pytest.raises(StorageError) as caught:
        index.save(row("ses_a", seq=2), [RequestRow(id="req_2", asked=big)])
    assert caught.value.details["path"] == str(index.path)
    with pytest.raises(StorageError):
        index.save(row("ses_b", state=big))
    found = index.get("ses_a")
    assert found is not None
    assert found.seq == 1
    assert [one.id for one in index.requests("ses_a")] == ["req_1"]
    index.save(row("ses_a", seq=3))
    index._db.execute("PRAGMA max_page_count=1000000")
    index.save(row("ses_b", state=big))


def test_a_save_that_fails_half_way_is_taken_back(index: SessionIndex) -> None:
    index.save(row("ses_a"))
    index._db.execute(
        "CREATE TEMP TRIGGER no BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(StorageError):
        index.save(row("ses_a", seq=2), [RequestRow(id="req_1", asked={})])
    index.save(row("ses_b"))
    found = index.get("ses_a")
    assert found is not None
    assert found.seq == 1


# The file


def test_only_one_server_may_use_it(index: SessionIndex) -> None:
    with pytest.raises(StorageError, match="another"):
        SessionIndex(index.path.parent)
    assert index.get("ses_a") is None


def test_it_is_nobody_elses_business_and_new_only_once(tmp_path: Path) -> None:
    index = SessionIndex(tmp_path / "data")
    assert index.is_new
    assert index.path.stat().st_mode & 0o777 == 0o600
    assert index.path.parent.stat().st_mode & 0o777 == 0o700
    index.save(row("ses_a"))
    index.filled()
    index.close()
    again = SessionIndex(tmp_path / "data")
    assert not again.is_new
    assert again.get("ses_a") is not None
    again.close()


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"SQLite format 3\0" + b"x" * 99])
def test_one_that_cannot_be_read_is_put_aside_and_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / INDEX_NAME).write_bytes(content)
    index = SessionIndex(tmp_path)
    assert index.is_new
    index.save(row("ses_a"))
    index.close()
    aside = [path for path in tmp_path.iterdir() if path.suffix == ".damaged"]
    assert [path.read_bytes() for path in aside] == [content]


def test_one_of_an_older_format_is_put_aside_and_of_a_newer_is_refused(tmp_path: Path) -> None:
    SessionIndex(tmp_path).close()

    def set_version(version: int) -> None:
        db = sqlite3.connect(tmp_path / INDEX_NAME)
        db.execute(f"PRAGMA user_version={version}")
        db.close()

    set_version(99)
    for _ in range(2):  # and it is not left locked
        with pytest.raises(StorageError, match="newer"):
            SessionIndex(tmp_path)
    set_version(1)
    index = SessionIndex(tmp_path)
    assert index.is_new
    index.close()


def test_one_that_lacks_a_table_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    index = SessionIndex(tmp_path)
    index.filled()
    index._db.execute("DROP TABLE requests")
    index.close()
    again = SessionIndex(tmp_path)
    assert again.is_new
    assert again.requests("ses_a") == []
    again.close()


@pytest.mark.parametrize(
    "damage",
    ["state = 'no JSON'", "state = '[1]'", "state = NULL", "seq = 'many'", "updated_ms = -1", "size_bytes = 1.5"],
)  # fmt: skip
def test_a_damaged_row_says_nothing_and_the_others_all(index: SessionIndex, damage: str) -> None:
    index._db.execute("PRAGMA writable_schema=ON")
    index._db.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
    index._db.execute("PRAGMA writable_schema=RESET")
    for id in ("ses_a", "ses_b"):
        index.save(row(id, seq=5))
    index._db.execute(f"UPDATE sessions SET {damage} WHERE id = 'ses_a'")
    sound, damaged = index.page(before_key=None, limit=9)
    assert (sound.id, sound.seq) == ("ses_b", 5)
    assert (damaged.id, damaged.seq, damaged.state) == ("ses_a", 0, {})
    assert isinstance(index.total_bytes(), int)
    assert len(index.oldest(limit=9)) + len(index.open_sessions()) == 2


def test_an_index_that_breaks_while_it_is_used_is_a_storage_error(index: SessionIndex) -> None:
    index._db.execute("DROP TABLE sessions")
    with pytest.raises(StorageError, match="made again"):
        index.get("ses_a")


def test_a_second_server_leaves_the_lock_of_the_first_as_it_is(index: SessionIndex) -> None:
    lock = index.path.parent / "server.lock"
    before = lock.read_text()
    assert before == str(os.getpid())
    with pytest.raises(StorageError, match="another"):
        SessionIndex(index.path.parent)
    assert lock.read_text() == before
    index.close()
    SessionIndex(index.path.parent).close()
    assert lock.read_text() == before


def test_what_was_saved_survives_the_death_of_the_server(tmp_path: Path) -> None:
    index = SessionIndex(tmp_path / "a")
    index.save(row("ses_a"), [RequestRow(id="req_1", asked={})])
    index.filled()
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as the dead one leaves it
    survivor = SessionIndex(tmp_path / "b")
    assert not survivor.is_new
    assert survivor.get("ses_a") is not None
    assert len(survivor.requests("ses_a")) == 1
    survivor.close()
    index.close()


def test_after_a_power_failure_it_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_boot_id", lambda: "first")
    index = SessionIndex(tmp_path / "a")
    for number in range(200):
        index.save(row(f"ses_{number}", state={"x": "y" * 1000}))
    index.filled()
    index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    index.close()
    damaged = tmp_path / "b" / INDEX_NAME
    size = damaged.stat().st_size
    with damaged.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 8192)

    # A small one is always looked through.
    shutil.copytree(tmp_path / "b", tmp_path / "e")
    small = SessionIndex(tmp_path / "e")
    assert small.is_new
    small.close()

    # The same machine still runs: nothing of it was lost, and a large one is not looked through.
    monkeypatch.setattr(index_module, "_ALWAYS_CHECKED_BYTES", 0)
    shutil.copytree(tmp_path / "b", tmp_path / "d")
    same = SessionIndex(tmp_path / "d")
    assert not same.is_new
    same._db.close()
    same._lock.close()

    monkeypatch.setattr(index_module, "_boot_id", lambda: "second")
    sound, made_anew = SessionIndex(tmp_path / "c"), SessionIndex(tmp_path / "b")
    assert not sound.is_new
    assert sound.get("ses_7") is not None
    assert made_anew.is_new
    assert (tmp_path / "b" / "sandbox-agent.damaged").exists()
    for one in (sound, made_anew):
        one.close()


def test_a_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        SessionIndex(tmp_path / "file" / "data")
    (tmp_path / "data" / INDEX_NAME).mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(StorageError, match=r"sandbox-agent\.db"):
            SessionIndex(tmp_path / "data")
    assert list((tmp_path / "data" / INDEX_NAME).iterdir()) == []
