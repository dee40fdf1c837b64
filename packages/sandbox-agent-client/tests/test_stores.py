from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
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
from sandbox_agent_client.persistence import read_entries, read_transcript


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TranscriptStore]:
    made: TranscriptStore = (
        MemoryTranscriptStore()
        if request.param == "memory"
        else SqliteTranscriptStore(tmp_path / "a" / "sessions.db")
    )
    yield made
    await made.close()


def record(id: str, created_at: str = "2026-01-01T00:00:00Z", **members: object) -> SessionRecord:
    return SessionRecord(id=id, agent="mock", created_at=created_at, **members)  # type: ignore[arg-type]


async def test_a_session_is_inserted_and_replaced(store: TranscriptStore) -> None:
    assert await store.get_session("a") is None
    await store.put_session(record("a", cwd="/w", settings={"model": "m", "nested": {"x": [1]}}))
    await store.put_session(record("a", cwd="/w", ended_at="2026-01-02T00:00:00Z"))
    assert await store.get_session("a") == record("a", cwd="/w", ended_at="2026-01-02T00:00:00Z")


async def test_sessions_are_listed_newest_first(store: TranscriptStore) -> None:
    for id, day in (("old", 1), ("new", 3), ("middle", 2)):
        await store.put_session(record(id, f"2026-01-0{day}T00:00:00Z"))
    assert [one.id for one in await store.list_sessions()] == ["new", "middle", "old"]


async def test_entries_come_back_as_they_were(store: TranscriptStore) -> None:
    entries = [chunk(1, "héllo \ud83d"), completed(2, "🙂")]
    await store.append("ses_1", entries)
    assert await store.entries("ses_1") == entries
    assert await store.last_seq("ses_1") == 2
    assert await store.last_seq("other") == 0
    assert await store.entries("other") == []


async def test_a_name_that_cannot_be_stored_is_an_error_of_ours(store: TranscriptStore) -> None:
    if isinstance(store, SqliteTranscriptStore):
        with pytest.raises(errors.StorageError):
            await store.get_session("\udce9")
    else:
        assert await store.get_session("\udce9") is None


async def test_appending_twice_changes_nothing(store: TranscriptStore) -> None:
    await store.append("ses_1", [chunk(1, "first"), chunk(2)])
    await store.append("ses_1", [chunk(1, "second"), chunk(2), chunk(3)])
    found = await store.entries("ses_1")
    assert [one.seq for one in found] == [1, 2, 3]
    assert found[0] == chunk(1, "first")


async def test_entries_are_read_in_pages(store: TranscriptStore) -> None:
    await store.append("ses_1", [chunk(seq) for seq in range(1, 2502)])
    assert [one.seq for one in await store.entries("ses_1", after=10, limit=3)] == [11, 12, 13]
    seqs = [entry.seq async for entry in read_entries(store, "ses_1", after=1)]
    assert seqs == list(range(2, 2502))


async def test_a_transcript_is_read_from_entries(store: TranscriptStore) -> None:
    await store.append("ses_1", [chunk(1), completed(2, "hi")])
    transcript = await read_transcript(store, "ses_1")
    assert transcript.session_id == "ses_1"
    assert [getattr(item, "text", None) for item in transcript.items()] == ["hi"]


async def test_a_deleted_session_leaves_nothing(store: TranscriptStore) -> None:
    for id in ("a", "b"):
        await store.put_session(record(id))
        await store.append(id, [chunk(1), chunk(2)])
    await store.delete_session("a")
    await store.delete_session("never-there")
    assert await store.get_session("a") is None
    assert (await store.entries("a"), await store.last_seq("a")) == ([], 0)
    assert ([one.id for one in await store.list_sessions()], await store.last_seq("b")) == (
        ["b"],
        2,
    )


async def test_a_closed_store_opens_again_by_itself(store: TranscriptStore) -> None:
    await store.put_session(record("a"))
    await store.close()
    await store.close()
    assert await store.get_session("a") == record("a")


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = SqliteTranscriptStore(tmp_path / "private" / "sessions.db")
    await store.put_session(record("a"))
    await store.close()
    assert (tmp_path / "private" / "sessions.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "private").stat().st_mode & 0o077 == 0


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
