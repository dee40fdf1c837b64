"""The log on disk: SQLite in WAL mode, written in the event loop, checkpointed off it.

A small WAL transaction with `synchronous=NORMAL` costs tens of microseconds, less than a thread
hop. A checkpoint fsyncs, so it runs on a thread of its own. Committed entries survive `kill -9` of
the server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sandbox_agent_core.errors import StorageError

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.store.checkpoint import Checkpointer
from sandbox_agent_server.store.entry import StoredEntry
from sandbox_agent_server.store.schema import migrate

__all__ = ["DB_NAME", "SessionRow", "SqliteStore"]

logger = logging.getLogger(__name__)

DB_NAME = "sandbox-agent.db"
_SEQ_BITS = 40
_SEQ_MASK = (1 << _SEQ_BITS) - 1

_MAX_CHUNK_BYTES = 256 * 1024
"""A commit of more is several chunks, so that reading one is never much work."""

_INSERT_CHUNK = "INSERT INTO chunks (pos, count, lines) VALUES (?, ?, ?)"
Chunk = tuple[int, int, bytes]


@dataclass(slots=True)
class SessionRow:
    key: int
    id: str
    agent: str
    created_ms: int
    ended_ms: int | None
    settings: dict[str, Any]
    """Fixed at creation (and by PATCH): cwd, model, policy, metadata."""
    state: dict[str, Any]
    """What recovery needs: the open turn, the queue, the agent's own session id."""


class SqliteStore:
    """Single-threaded: everything here is called in the event loop's thread."""

    def __init__(self, data_dir: Path, *, max_bytes: int | None = None) -> None:
        """Open or create the database, exclusively.

        Raises:
            StorageError: the directory cannot be written, or another server uses it.
        """
        self.path = data_dir / DB_NAME
        self._lock = _lock(data_dir)
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            # The log holds prompts and tool output: nobody else's business.
            self.path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA wal_autocheckpoint=0")
            self._db.execute("PRAGMA journal_size_limit=67108864")
            if max_bytes is not None:
                (page_size,) = self._db.execute("PRAGMA page_size").fetchone()
                self._db.execute(f"PRAGMA max_page_count={max(1, max_bytes // page_size)}")
            migrate(self._db)
        except (sqlite3.Error, OSError) as exc:
            self._lock.close()
            raise _storage_error(exc, self.path) from exc
        except RuntimeError as exc:
            self._lock.close()
            raise StorageError(str(exc), path=str(self.path)) from exc
        self._checkpointer = Checkpointer(self.path)

    def close(self) -> None:
        """Fold the WAL into the database and let go of it."""
        self._checkpointer.close()
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as exc:
            logger.warning("the last checkpoint failed, the next start will do it: %s", exc)
        self._db.close()
        self._lock.close()

    # Sessions

    def create_session(self, row: SessionRow) -> SessionRow:
        """Insert the row and give it its key.

        Raises:
            sqlite3.IntegrityError: the id is taken.
            StorageError: it could not be written.
        """
        try:
            cursor = self._db.execute(
                "INSERT INTO sessions (id, agent, created_ms, ended_ms, settings, state)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    row.id,
                    row.agent,
                    row.created_ms,
                    row.ended_ms,
                    _dump(row.settings),
                    _dump(row.state),
                ),
            )
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as exc:
            raise _storage_error(exc, self.path) from exc
        assert cursor.lastrowid is not None
        row.key = cursor.lastrowid
        return row

    def delete_session(self, key: int) -> None:
        """Forget a session that never came to life, with its log."""
        self._write(
            [
                ("DELETE FROM chunks WHERE pos > ? AND pos <= ?", _span(key)),
                ("DELETE FROM requests WHERE session_key = ?", (key,)),
                ("DELETE FROM sessions WHERE key = ?", (key,)),
            ]
        )

    def get_session(self, session_id: str) -> SessionRow | None:
        rows = self._sessions("WHERE id = ?", (session_id,))
        return rows[0] if rows else None

    def list_sessions(self, *, before_key: int | None = None, limit: int = -1) -> list[SessionRow]:
        """Newest first."""
        if before_key is None:
            return self._sessions("ORDER BY key DESC LIMIT ?", (limit,))
        return self._sessions("WHERE key < ? ORDER BY key DESC LIMIT ?", (before_key, limit))

    def save_session(self, row: SessionRow) -> None:
        self._write([_session_update(row)])

    def _sessions(self, where: str, values: tuple[Any, ...]) -> list[SessionRow]:
        rows = self._db.execute(
            f"SELECT key, id, agent, created_ms, ended_ms, settings, state FROM sessions {where}",  # noqa: S608
            values,
        )
        return [
            SessionRow(key, id_, agent, created, ended, loads(settings), loads(state))
            for key, id_, agent, created, ended, settings, state in rows
        ]

    # Entries

    def commit(
        self,
        key: int,
        entries: Sequence[StoredEntry],
        *,
        row: SessionRow | None = None,
        requests: Sequence[tuple[str, dict[str, Any], dict[str, Any] | None]] = (),
    ) -> None:
        """Write entries, the session's state and changed requests in one transaction, or nothing.

        `requests` are `(id, asked, resolution or None)`.

        Raises:
            StorageError: disk full, read-only, I/O error. Nothing was written.
        """
        chunks = list(_chunks(key, entries))
        more: list[tuple[str, tuple[Any, ...]]] = [
            (
                "INSERT INTO requests (session_key, id, asked, resolution) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET resolution = excluded.resolution",
                (key, id_, _dump(asked), None if resolution is None else _dump(resolution)),
            )
            for id_, asked, resolution in requests
        ]
        if row is not None:
            more.append(_session_update(row))
        self._write(more, chunks=chunks)
        self._checkpointer.note_written(sum(len(lines) for _, _, lines in chunks))

    def read(
        self, key: int, after: int, *, limit: int = 1000, max_bytes: int = 1 << 20
    ) -> list[StoredEntry]:
        """Entries with `seq > after` in order; stops once `max_bytes` are read (but gives at least one)."""
        low, high = _span(key)
        cursor = self._db.execute(
            "SELECT pos, count, lines FROM chunks WHERE pos > ? AND pos <= ? ORDER BY pos",
            (low + after, high),
        )
        page: list[StoredEntry] = []
        size = 0
        for pos, count, lines in cursor:
            seq = (pos & _SEQ_MASK) - count
            for line in lines.split(b"\n"):
                seq += 1
                if seq <= after:
                    continue
                page.append(StoredEntry(seq, line))
                size += len(line)
                if len(page) >= limit or size >= max_bytes:
                    cursor.close()
                    return page
        return page

    def last_seq(self, key: int) -> int:
        """0 for an empty log."""
        low, high = _span(key)
        (last,) = self._db.execute(
            "SELECT max(pos) FROM chunks WHERE pos > ? AND pos <= ?", (low, high)
        ).fetchone()
        return 0 if last is None else last & _SEQ_MASK

    # Requests

    def requests(
        self, key: int, *, pending_only: bool
    ) -> list[tuple[str, dict[str, Any], dict[str, Any] | None]]:
        where = "AND resolution IS NULL" if pending_only else ""
        rows = self._db.execute(
            f"SELECT id, asked, resolution FROM requests WHERE session_key = ? {where} ORDER BY rowid",  # noqa: S608
            (key,),
        )
        return [
            (id_, loads(asked), None if resolution is None else loads(resolution))
            for id_, asked, resolution in rows
        ]

    # Processes

    def note_process(self, pid: int, start_time: int, key: int) -> None:
        self._write([("INSERT OR REPLACE INTO processes VALUES (?, ?, ?)", (pid, start_time, key))])

    def forget_processes(self, key: int) -> None:
        self._write([("DELETE FROM processes WHERE session_key = ?", (key,))])

    def processes(self) -> list[tuple[int, int, int]]:
        """`(pid, start_time, session key)` of every process that an earlier server may have left."""
        return self._db.execute("SELECT pid, start_time, session_key FROM processes").fetchall()

    def _write(
        self,
        statements: Sequence[tuple[str, tuple[Any, ...]]],
        *,
        chunks: Sequence[Chunk] = (),
    ) -> None:
        db = self._db
        try:
            if len(chunks) == 1 and not statements:
                # What most commits are: one statement is a transaction of its own.
                db.execute(_INSERT_CHUNK, chunks[0])
                return
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_INSERT_CHUNK, chunks)
            for sql, values in statements:
                db.execute(sql, values)
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            # A full disk may have rolled back by itself already.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise _storage_error(exc, self.path) from exc


def _chunks(key: int, entries: Sequence[StoredEntry]) -> Iterator[Chunk]:
    base = key << _SEQ_BITS
    lines: list[bytes] = []
    size = 0
    for entry in entries:
        if size >= _MAX_CHUNK_BYTES:
            yield base | (entry.seq - 1), len(lines), b"\n".join(lines)
            lines, size = [], 0
        lines.append(entry.line)
        size += len(entry.line)
    if lines:
        yield base | entries[-1].seq, len(lines), b"\n".join(lines)


def _dump(value: Any) -> str:
    return dumps(value).decode()


def _span(key: int) -> tuple[int, int]:
    base = key << _SEQ_BITS
    return base, base | _SEQ_MASK


def _session_update(row: SessionRow) -> tuple[str, tuple[Any, ...]]:
    return (
        "UPDATE sessions SET ended_ms = ?, settings = ?, state = ? WHERE key = ?",
        (row.ended_ms, _dump(row.settings), _dump(row.state), row.key),
    )


def _lock(data_dir: Path) -> TextIO:
    """Two servers on one log would both number its entries."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (data_dir / "server.lock").open("w", encoding="utf-8")
    except OSError as exc:
        raise _storage_error(exc, data_dir) from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        handle.close()
        raise StorageError(
            f"another sandbox-agent-server uses {str(data_dir)!r}; stop it, or give another --data-dir",
            path=str(data_dir),
        ) from exc
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _storage_error(exc: Exception, path: Path) -> StorageError:
    return StorageError(
        f"cannot write the log in {str(path.parent)!r}: {exc}. Free space there, make it writable, or "
        "give another --data-dir.",
        path=str(path),
    )
