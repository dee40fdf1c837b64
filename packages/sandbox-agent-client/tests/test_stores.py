"""The embedded stores: the suite, and what a file has of its own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from client_frames import chunk, completed
from sandbox_agent_client import (
    MemoryTranscriptStore,
    SessionRecord,
    SqliteTranscriptStore,
    TranscriptStore,
    errors,
)
from sandbox_agent_client.persistence import open_store, read_entries, read_transcript
from sandbox_agent_client.testing.stores import OpenStore, StoreConformance, session

V1 = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, agent TEXT NOT NULL, cwd TEXT, created_at TEXT NOT NULL, ended_at TEXT,
    settings TEXT NOT NULL) STRICT;
CREATE TABLE entries (session_id TEXT NOT NULL, seq INTEGER NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (session_id, seq)) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""


class TestMemory(StoreConformance):
    @pytest.fixture
    async def open(self) -> OpenStore:
        store = MemoryTranscriptStore()
        return lambda: store


class TestSqlite(StoreConformance):
    @pytest.fixture
    async def open(self, tmp_path: Path) -> OpenStore:
        return lambda: SqliteTranscriptStore(tmp_path / "a" / "sessions.db")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> TranscriptStore:
    return open_store("memory:" if request.param == "memory" else tmp_path / "s.db")


async def test_a_transcript_is_read_from_entries(store: TranscriptStore) -> None:
    await store.put_session(session())
    await store.append("ses_1", [chunk(1), completed(2, "hi")])
    transcript = await read_transcript(store, "ses_1")
    assert transcript.session_id == "ses_1"
    assert [getattr(item, "text", None) for item in transcript.items()] == ["hi"]
    await store.close()


async def test_all_entries_are_read_page_by_page(store: TranscriptStore) -> None:
    await store.put_session(session())
    await store.append("ses_1", [chunk(seq) for seq in range(1, 2502)])
    seqs = [entry.seq async for entry in read_entries(store, "ses_1", after=1)]
    assert seqs == list(range(2, 2502))
    await store.close()


async def test_a_name_that_cannot_be_stored_is_an_error_of_ours(tmp_path: Path) -> None:
    store = SqliteTranscriptStore(tmp_path / "s.db")
    with pytest.raises(errors.StorageError):
        await store.get_session("\udce9")
    await store.close()


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = SqliteTranscriptStore(tmp_path / "private" / "sessions.db")
    await store.put_session(session())
    await store.close()
    assert (tmp_path / "private" / "sessions.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "private").stat().st_mode & 0o077 == 0


async def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    segments = [{"createdAt": "t1", "base": 0, "skip": 0}]
    settings = json.dumps({"model": "m", "generations": segments})
    entries = [chunk(1, "half \ud83d"), completed(2, "an old word")]
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.executescript(V1)
        row = ("ses_1", "mock", "/w", "2026-01-01T00:00:00.000Z", None, settings)
        db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", row)
        rows = [("ses_1", entry.seq, json.dumps(entry.to_wire())) for entry in entries]
        db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
    db.close()
    stores = [SqliteTranscriptStore(tmp_path / "s.db") for _ in range(2)]
    for store in stores:
        (found,) = await store.list_sessions()
        assert found == SessionRecord(
            id="ses_1",
            agent="mock",
            cwd="/w",
            created_at="2026-01-01T00:00:00.000Z",
            settings={"model": "m", "segments": segments},
        )
        assert await store.entries("ses_1") == entries
        assert [hit.seq for hit in await store.search("word old")] == [2]
        await store.close()


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    store = SqliteTranscriptStore(tmp_path / "s.db")
    with pytest.raises(errors.StorageError, match="newer"):
        await store.list_sessions()
    await store.close()


async def test_what_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("this is not a database, and it is long enough to tell" * 40)
    store = SqliteTranscriptStore(tmp_path / "s.db")
    with pytest.raises(errors.StorageError):
        await store.list_sessions()
    await store.close()


async def test_a_store_goes_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, url in enumerate(("s.db", "sqlite:s.db", f"sqlite://{tmp_path}/s.db")):
        store = open_store(url)
        assert len(await store.list_sessions()) == number
        await store.put_session(session(f"ses_{number}"))
        await store.close()
    assert isinstance(open_store("memory:"), MemoryTranscriptStore)
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_a_store_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(errors.InvalidRequest, match="mysql") as caught:
        open_store("mysql://me:secret-password@host/db")
    assert "sqlite" in caught.value.message
    assert "secret-password" not in caught.value.message
    with pytest.raises(errors.InvalidRequest, match="names no file"):
        open_store("sqlite:")
