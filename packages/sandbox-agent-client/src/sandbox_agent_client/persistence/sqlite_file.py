"""The SQLite file of a store: opened, brought to the newest schema, and used from a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.stores.searchable import searchable_text

__all__ = ["SCHEMA_VERSION", "SqliteFile", "index_text"]

T = TypeVar("T")

BUSY_TIMEOUT_S = 5.0
MIGRATION_TIMEOUT_S = 300.0
"""Until another process has brought the file to the newest schema: it reads every entry for that."""

_INITIAL = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        agent TEXT NOT NULL,
        cwd TEXT,
        created_at TEXT NOT NULL,
        ended_at TEXT,
        settings TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE entries (
        session_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (session_id, seq)
    ) STRICT, WITHOUT ROWID
    """,
)
_SHARED = (
    "ALTER TABLE sessions ADD COLUMN sandbox TEXT",
    "CREATE INDEX sessions_by_age ON sessions (created_at DESC, id DESC)",
    """
    CREATE TABLE leases (
        session_id TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        generation INTEGER NOT NULL,
        expires_at REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        session_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (session_id, seq)
    ) STRICT
    """,
    """
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'texts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
    )
    """,
    """
    CREATE TRIGGER text_added AFTER INSERT ON texts BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER text_removed AFTER DELETE ON texts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
)


class SqliteFile:
    """Opened by its first use; made readable for its owner only, because conversations hold what people paste into them.

    Every method raises `StorageError`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).expanduser()
        self._db: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._run(lambda: work(self._connected()))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In a transaction that nobody else writes beside."""
        return await self._run(lambda: _transaction(self._connected(), work))

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.wrap_future(thread.submit(self._disconnect))
            thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-agent-store")
        return await asyncio.wrap_future(self._thread.submit(self._told, work))

    def _told(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError, UnicodeEncodeError) as exc:
            raise StorageError(f"The store {str(self._path)!r} failed: {exc}") from exc

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            db = sqlite3.connect(
                self._path,
                timeout=MIGRATION_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _prepare(self, db: sqlite3.Connection) -> None:
        if _version(db) > SCHEMA_VERSION:
            raise StorageError(
                f"The store {str(self._path)!r} was written by a newer version: upgrade this package."
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if _version(db) < SCHEMA_VERSION:
            _transaction(db, _migrate)
        db.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def index_text(db: sqlite3.Connection, entry: LogEntry) -> None:
    text = searchable_text(entry)
    if text is not None:
        row = (entry.session_id, entry.seq, entry.time_ms, text)
        db.execute("INSERT INTO texts (session_id, seq, time_ms, text) VALUES (?, ?, ?, ?)", row)


def _transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrate(db: sqlite3.Connection) -> None:
    """From whatever version it has by now: another process may have been first."""
    for step in _MIGRATIONS[_version(db) :]:
        step(db)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _begin(db: sqlite3.Connection) -> None:
    for statement in _INITIAL:
        db.execute(statement)


def _share(db: sqlite3.Connection) -> None:
    """Leases and search. What is there already is found, too."""
    for statement in _SHARED:
        db.execute(statement)
    for id, text in db.execute("SELECT id, settings FROM sessions").fetchall():
        settings = json.loads(text)
        if "generations" in settings:
            settings["segments"] = settings.pop("generations")
            changed = (json.dumps(settings), id)
            db.execute("UPDATE sessions SET settings = ? WHERE id = ?", changed)
    for id, text in db.execute("SELECT session_id, entry FROM entries"):
        index_text(db, LogEntry.from_wire(id, json.loads(text)))


_MIGRATIONS = (_begin, _share)
SCHEMA_VERSION = len(_MIGRATIONS)
