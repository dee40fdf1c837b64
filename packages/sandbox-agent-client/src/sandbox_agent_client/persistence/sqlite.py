"""A store in one SQLite file. SQLite blocks, so it has a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import SessionRecord

__all__ = ["SqliteTranscriptStore"]

T = TypeVar("T")

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    cwd TEXT,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    settings TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;
"""
_SELECT = "SELECT id, agent, cwd, created_at, ended_at, settings FROM sessions"


class SqliteTranscriptStore:
    """Opened by its first use. `close` frees the file and the thread; a later use opens it again.

    Several processes may use the same file. The file is made readable for its owner only:
    conversations hold what people paste into them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).expanduser()
        self._db: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def put_session(self, record: SessionRecord) -> None:
        row = (
            record.id,
            record.agent,
            record.cwd,
            record.created_at,
            record.ended_at,
            json.dumps(record.settings),
        )
        await self._run(
            lambda db: db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)", row)
        )

    async def get_session(self, session_id: str) -> SessionRecord | None:
        found = await self._records(_SELECT + " WHERE id = ?", session_id)
        return found[0] if found else None

    async def list_sessions(self) -> list[SessionRecord]:
        return await self._records(_SELECT + " ORDER BY created_at DESC, id DESC")

    async def append(self, session_id: str, entries: Sequence[LogEntry]) -> None:
        rows = [(session_id, entry.seq, json.dumps(entry.to_wire())) for entry in entries]
        await self._run(
            lambda db: db.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", rows)
        )

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        rows = await self._run(
            lambda db: db.execute(
                "SELECT entry FROM entries WHERE session_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                (session_id, after, limit),
            ).fetchall()
        )
        return [LogEntry.from_wire(session_id, json.loads(entry)) for (entry,) in rows]

    async def last_seq(self, session_id: str) -> int:
        row = await self._run(
            lambda db: db.execute(
                "SELECT max(seq) FROM entries WHERE session_id = ?", (session_id,)
            ).fetchone()
        )
        return row[0] or 0

    async def delete_session(self, session_id: str) -> None:
        def delete(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM entries WHERE session_id = ?", (session_id,))
            db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

        await self._run(delete)

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.wrap_future(thread.submit(self._disconnect))
            thread.shutdown()

    async def _records(self, query: str, *values: str) -> list[SessionRecord]:
        rows = await self._run(lambda db: db.execute(query, values).fetchall())
        return [
            SessionRecord(
                id=id,
                agent=agent,
                cwd=cwd,
                created_at=created_at,
                ended_at=ended_at,
                settings=json.loads(settings),
            )
            for id, agent, cwd, created_at, ended_at, settings in rows
        ]

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-agent-store")
        return await asyncio.wrap_future(self._thread.submit(self._transaction, work))

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            db = self._connected()
            with db:
                return work(db)
        except (sqlite3.Error, OSError, UnicodeEncodeError) as exc:
            raise StorageError(f"The store {str(self._path)!r} failed: {exc}") from exc

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"The store {str(self._path)!r} was written by a newer version: upgrade this package."
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
