"""A store in one SQLite file, which several processes of one machine may use."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_core.errors import InvalidRequest, LeaseLost, SessionNotFound
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SearchHit, SessionRecord
from sandbox_agent_core.stores.rules import (
    check_lease,
    has_ended_before,
    new_entries,
    next_lease,
)
from sandbox_agent_core.stores.searchable import excerpt, words_of

from sandbox_agent_client.persistence.sqlite_file import SqliteFile, index_text

__all__ = ["SqliteTranscriptStore", "open_sqlite"]

_COLUMNS = "sessions.id, agent, cwd, created_at, ended_at, settings, sandbox"
_SESSIONS = f"SELECT {_COLUMNS} FROM sessions"  # noqa: S608 - no value in it, as below
_FOUND = f"""
SELECT texts.seq, texts.text, {_COLUMNS}
FROM words JOIN texts ON texts.id = words.rowid JOIN sessions ON sessions.id = texts.session_id
WHERE words MATCH ? ORDER BY texts.time_ms DESC, texts.session_id DESC, texts.seq DESC LIMIT ?
"""  # noqa: S608
_EVERYTHING_OF = {"entries": "session_id", "texts": "session_id", "leases": "session_id", "sessions": "id"}  # fmt: skip
NO_LIMIT = -1


class SqliteTranscriptStore:
    """Opened by its first use. `close` frees the file and the thread; a later use opens it again.

    The file is made readable for its owner only: conversations hold what people paste into them. One of an older version
    is brought up to date, and read by no older version then.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._file = SqliteFile(self.path)

    async def put_session(self, record: SessionRecord, *, lease: Lease | None = None) -> None:
        def put(db: sqlite3.Connection) -> None:
            _check(db, lease)
            db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", _row(record))

        await self._file.write(put)

    async def get_session(self, session_id: str) -> SessionRecord | None:
        found = await self._records(_SESSIONS + " WHERE id = ?", session_id)
        return found[0] if found else None

    async def list_sessions(
        self, *, limit: int | None = None, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        order = " ORDER BY created_at DESC, id DESC LIMIT ?"
        count = NO_LIMIT if limit is None else limit
        if before is None:
            return await self._records(_SESSIONS + order, count)
        behind = " WHERE (created_at, id) < (?, ?)"
        return await self._records(_SESSIONS + behind + order, before.created_at, before.id, count)

    async def append(
        self, session_id: str, entries: Sequence[LogEntry], *, lease: Lease | None = None
    ) -> None:
        def add(db: sqlite3.Connection) -> None:
            _check(db, lease)
            if db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is None:
                raise SessionNotFound(f"There is no session {session_id!r} in the store.")
            for entry in new_entries(session_id, entries, last_seq=_last_seq(db, session_id)):
                row = (session_id, entry.seq, json.dumps(entry.to_wire()))
                db.execute("INSERT INTO entries VALUES (?, ?, ?)", row)
                index_text(db, replace(entry, session_id=session_id))

        await self._file.write(add)

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        rows = await self._file.read(
            lambda db: db.execute(
                "SELECT entry FROM entries WHERE session_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                (session_id, after, limit),
            ).fetchall()
        )
        return [LogEntry.from_wire(session_id, json.loads(entry)) for (entry,) in rows]

    async def last_seq(self, session_id: str) -> int:
        return await self._file.read(lambda db: _last_seq(db, session_id))

    async def delete_session(self, session_id: str) -> None:
        await self._file.write(lambda db: _delete(db, session_id))

    async def close(self) -> None:
        await self._file.close()

    # SupportsLeases

    async def acquire_lease(self, session_id: str, *, holder: str, ttl_s: float) -> Lease:
        def acquire(db: sqlite3.Connection) -> Lease:
            current = _lease(db, session_id)
            lease = next_lease(current, session_id, holder=holder, now=_now(), ttl_s=ttl_s)
            _put_lease(db, lease)
            return lease

        return await self._file.write(acquire)

    async def renew_lease(self, lease: Lease, *, ttl_s: float) -> Lease:
        def renew(db: sqlite3.Connection) -> Lease:
            _check(db, lease)
            renewed = replace(lease, expires_at=_now() + timedelta(seconds=ttl_s))
            _put_lease(db, renewed)
            return renewed

        return await self._file.write(renew)

    async def release_lease(self, lease: Lease) -> None:
        def release(db: sqlite3.Connection) -> None:
            _check(db, lease)
            # Its generation is remembered: the next one is greater.
            _put_lease(db, replace(lease, holder="", expires_at=_now()))

        with contextlib.suppress(LeaseLost):
            await self._file.write(release)

    # SupportsSearch

    async def search(self, query: str, *, limit: int = 20) -> list[SearchHit]:
        words = words_of(query)
        if not words:
            return []
        wanted = " ".join(f'"{word}"' for word in words)
        rows = await self._file.read(lambda db: db.execute(_FOUND, (wanted, limit)).fetchall())
        return [
            SearchHit(session=_record(*session), seq=seq, excerpt=excerpt(text, words))
            for seq, text, *session in rows
        ]

    # SupportsRetention

    async def prune(self, *, ended_before: datetime) -> int:
        def prune(db: sqlite3.Connection) -> int:
            rows = db.execute(
                "SELECT id, ended_at FROM sessions WHERE ended_at IS NOT NULL AND NOT EXISTS "
                "(SELECT 1 FROM leases WHERE session_id = sessions.id AND expires_at > ?)",
                (_now().timestamp(),),
            ).fetchall()
            old = [id for id, ended_at in rows if has_ended_before(ended_at, ended_before)]
            for id in old:
                _delete(db, id)
            return len(old)

        return await self._file.write(prune)

    async def _records(self, query: str, *values: Any) -> list[SessionRecord]:
        rows = await self._file.read(lambda db: db.execute(query, values).fetchall())
        return [_record(*row) for row in rows]


def open_sqlite(url: str) -> SqliteTranscriptStore:
    """Of the entry point `sqlite`: `sqlite:sessions.db`, `sqlite:///var/lib/sessions.db`. Raises: InvalidRequest."""
    rest = url.partition(":")[2]
    parts = urlsplit(url) if rest.startswith("//") else None
    path = rest if parts is None else unquote(parts.netloc + parts.path)
    if not path:
        raise InvalidRequest(f"{url!r} names no file: `sqlite:sessions.db`, or just the path.")
    return SqliteTranscriptStore(path)


def _row(record: SessionRecord) -> tuple[str | None, ...]:
    return (
        record.id,
        record.agent,
        record.cwd,
        record.created_at,
        record.ended_at,
        json.dumps(record.settings),
        None if record.sandbox is None else json.dumps(dict(record.sandbox)),
    )


def _record(
    id: str,
    agent: str,
    cwd: str | None,
    created_at: str,
    ended_at: str | None,
    settings: str,
    sandbox: str | None,
) -> SessionRecord:
    return SessionRecord(
        id=id,
        agent=agent,
        cwd=cwd,
        created_at=created_at,
        ended_at=ended_at,
        settings=json.loads(settings),
        sandbox=None if sandbox is None else json.loads(sandbox),
    )


def _last_seq(db: sqlite3.Connection, session_id: str) -> int:
    row = db.execute("SELECT max(seq) FROM entries WHERE session_id = ?", (session_id,)).fetchone()
    return row[0] or 0


def _delete(db: sqlite3.Connection, session_id: str) -> None:
    for table, column in _EVERYTHING_OF.items():
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (session_id,))  # noqa: S608


def _lease(db: sqlite3.Connection, session_id: str) -> Lease | None:
    query = "SELECT holder, generation, expires_at FROM leases WHERE session_id = ?"
    row = db.execute(query, (session_id,)).fetchone()
    if row is None:
        return None
    holder, generation, expires_at = row
    return Lease(
        session_id=session_id,
        holder=holder,
        generation=generation,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )


def _put_lease(db: sqlite3.Connection, lease: Lease) -> None:
    row = (lease.session_id, lease.holder, lease.generation, lease.expires_at.timestamp())
    db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", row)


def _check(db: sqlite3.Connection, lease: Lease | None) -> None:
    if lease is not None:
        check_lease(lease, _lease(db, lease.session_id))


def _now() -> datetime:
    return datetime.now(UTC)
