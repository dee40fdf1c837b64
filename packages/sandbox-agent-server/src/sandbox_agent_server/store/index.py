"""The index: one row for each session, its requests, and the processes that run. SQLite.

The logs are the truth. A row says what a fold over a log would say, up to the entry `seq`; whatever is missing
here, or newer there, is read from there. So nothing is lost with this file.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from sandbox_agent_core.errors import StorageError

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.store.replies import TABLE as REPLIES_TABLE
from sandbox_agent_server.store.replies import KeptReplies

__all__ = ["INDEX_NAME", "IndexRow", "RequestRow", "SessionIndex"]

logger = logging.getLogger(__name__)

INDEX_NAME: Final = "sandbox-agent.db"
SESSIONS_NAME: Final = "sessions"
_VERSION: Final = 2
_ALWAYS_CHECKED_BYTES: Final = 16 * 1024 * 1024

_TABLES = """
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    state BLOB NOT NULL
);
CREATE INDEX open_sessions ON sessions (key) WHERE is_open;
CREATE INDEX sessions_by_age ON sessions (updated_ms);
CREATE TABLE requests (
    session_id TEXT NOT NULL,
    id TEXT NOT NULL,
    asked BLOB NOT NULL,
    resolution BLOB,
    PRIMARY KEY (session_id, id)
);
CREATE TABLE machine (boot TEXT NOT NULL);
CREATE TABLE processes (
    pid INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (pid, start_time)
);
"""

_ANY_SIZE: Final = 2**63 - 1
_ROW = "key, id, seq, updated_ms, size_bytes, is_open, state"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    id: str
    seq: int
    """The last entry that `state` takes into account."""
    updated_ms: int
    """Time of that entry."""
    size_bytes: int
    is_open: bool
    """After a crash there is something to end."""
    state: dict[str, Any]
    key: int = 0
    """Order of creation; given by the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    id: str
    asked: dict[str, Any]
    resolution: dict[str, Any] | None = None
    key: int = field(default=0, compare=False)
    """Order of asking; given by the index."""


class SessionIndex:
    """Called in the event loop's thread only; a write costs tens of microseconds, and is none that an event of
    an agent waits for."""

    def __init__(self, data_dir: Path) -> None:
        """Open or create it, exclusively. One that cannot be read is put aside.

        Raises:
            StorageError: the directory cannot be written, or another server uses it.
        """
        self.path = data_dir / INDEX_NAME
        self.sessions_dir = data_dir / SESSIONS_NAME
        self._lock = _lock(data_dir)
        self._replies: KeptReplies | None = None
        self.is_new = False
        """Sessions that have a directory may not be in it: it was made just now, or whoever was to fill it
        did not come to the end. `filled` says that it did."""
        try:
            self._db = self._open_or_renew()
        except StorageError:
            self._lock.close()
            raise
        except (sqlite3.Error, OSError) as exc:
            self._lock.close()
            raise self._error(exc) from exc

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.execute("DELETE FROM machine")  # nothing of it can be lost any more
        self._db.close()
        self._lock.close()

    def filled(self) -> None:
        """Every session that has a directory is in it. Raises: StorageError."""
        self._write("PRAGMA application_id = 1")
        self.is_new = False

    # Sessions

    def save(self, row: IndexRow, requests: Sequence[RequestRow] = ()) -> None:
        """Insert or replace, with changed requests. Raises: StorageError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO sessions (id, seq, updated_ms, size_bytes, is_open, state)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq,"
                " updated_ms = excluded.updated_ms, size_bytes = excluded.size_bytes,"
                " is_open = excluded.is_open, state = excluded.state",
                (row.id, row.seq, row.updated_ms, row.size_bytes, row.is_open, dumps(row.state)),
            )
            self._db.executemany(
                "INSERT INTO requests (session_id, id, asked, resolution) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET resolution = excluded.resolution",
                [
                    (row.id, one.id, dumps(one.asked), one.resolution and dumps(one.resolution))
                    for one in requests
                ],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._roll_back()
            raise self._error(exc) from exc

    def get(self, session_id: str) -> IndexRow | None:
        rows = self._select("WHERE id = ?", session_id)
        return rows[0] if rows else None

    def page(
        self, *, before_key: int | None, limit: int, max_bytes: int = _ANY_SIZE
    ) -> list[IndexRow]:
        """Newest first: at most `limit`, and of about `max_bytes`, but at least one."""
        before = _ANY_SIZE if before_key is None else before_key
        sizes = self._read(
            "SELECT key, coalesce(length(state), 0) FROM sessions WHERE key < ?"
            " ORDER BY key DESC LIMIT ?",
            before,
            limit,
        )
        if (last := _last_within(sizes, max_bytes)) is None:
            return []
        return self._select("WHERE key < ? AND key >= ? ORDER BY key DESC", before, last)

    def key_of(self, session_id: str) -> int | None:
        """Its place in the order of creation; None of one that is not there."""
        rows = self._read("SELECT key FROM sessions WHERE id = ?", session_id)
        return int(rows[0][0]) if rows else None

    def changed_since(self, since_ms: int, *, after_key: int, limit: int) -> list[tuple[int, str]]:
        """`(key, id)` of what was written to later than that, in order of creation. What runs may be missing: a row
        is not written for every entry."""
        if since_ms <= 0:  # then the order is that of the table
            return self._read(
                "SELECT key, id FROM sessions WHERE key > ? ORDER BY key LIMIT ?", after_key, limit
            )
        return self._read(
            "SELECT key, id FROM sessions INDEXED BY sessions_by_age"
            " WHERE updated_ms > ? AND key > ? ORDER BY key LIMIT ?",
            since_ms,
            after_key,
            limit,
        )

    def newest_ms(self, *, until_ms: int) -> int:
        """Time of the last entry of all that is no later than that."""
        ((newest,),) = self._read(
            "SELECT coalesce(max(updated_ms), 0) FROM sessions WHERE updated_ms <= ?", until_ms
        )
        return int(newest)

    def has_before(self, key: int) -> bool:
        """Whether there are older sessions."""
        return bool(self._read("SELECT 1 FROM sessions WHERE key < ? LIMIT 1", key))

    def open_sessions(self) -> list[IndexRow]:
        return self._select("WHERE is_open ORDER BY key")

    def oldest(self, *, limit: int) -> list[tuple[str, int, int]]:
        """`(id, updated_ms, size_bytes)`, least recently written first; none that is open."""
        return self._read(
            "SELECT id, CAST(updated_ms AS INTEGER), CAST(size_bytes AS INTEGER) FROM sessions"
            " WHERE NOT is_open ORDER BY updated_ms LIMIT ?",
            limit,
        )

    def total_bytes(self) -> int:
        ((total,),) = self._read("SELECT coalesce(sum(size_bytes), 0) FROM sessions")
        return int(total)

    def delete(self, session_id: str) -> None:
        """Raises: StorageError."""
        self._write("DELETE FROM requests WHERE session_id = ?", session_id)
        self._write("DELETE FROM sessions WHERE id = ?", session_id)
        if self._replies is not None:
            self._replies.forget_session(session_id)

    # Requests

    def requests(
        self,
        session_id: str,
        *,
        after_key: int = 0,
        limit: int = _ANY_SIZE,
        max_bytes: int = _ANY_SIZE,
    ) -> list[RequestRow]:
        """Oldest first, resolved ones too: at most `limit`, and of about `max_bytes`, but at least one.

        Raises: StorageError; ValueError when one of them is damaged.
        """
        sizes = self._read(
            "SELECT rowid, coalesce(length(asked), 0) + coalesce(length(resolution), 0) FROM requests"
            " WHERE session_id = ? AND rowid > ? ORDER BY rowid LIMIT ?",
            session_id,
            after_key,
            limit,
        )
        if (last := _last_within(sizes, max_bytes)) is None:
            return []
        rows = self._read(
            "SELECT rowid, id, asked, resolution FROM requests"
            " WHERE session_id = ? AND rowid > ? AND rowid <= ? ORDER BY rowid",
            session_id,
            after_key,
            last,
        )
        return [
            RequestRow(
                key=key, id=id, asked=loads(asked), resolution=resolution and loads(resolution)
            )
            for key, id, asked, resolution in rows
        ]

    def has_requests_after(self, session_id: str, key: int) -> bool:
        sql = "SELECT 1 FROM requests WHERE session_id = ? AND rowid > ? LIMIT 1"
        return bool(self._read(sql, session_id, key))

    def resolution(self, session_id: str, request_id: str) -> dict[str, Any] | None:
        """Raises: as `requests`."""
        rows = self._read(
            "SELECT resolution FROM requests WHERE session_id = ? AND id = ?",
            session_id,
            request_id,
        )
        return loads(rows[0][0]) if rows and rows[0][0] is not None else None

    # Answers to requests that may come again

    def replies(self, *, keep_s: float, max_replies: int, max_bytes: int) -> KeptReplies:
        """Raises: StorageError."""
        self._replies = KeptReplies(
            self._read,
            self._write,
            keep_s=keep_s,
            max_replies=max_replies,
            max_bytes=max_bytes,
            now_ms=lambda: time.time_ns() // 1_000_000,
        )
        return self._replies

    # Processes (`runtime.ledger.ProcessRecords`)

    def add(self, pid: int, start_time: int, owner: str) -> None:
        self._write("INSERT OR REPLACE INTO processes VALUES (?, ?, ?)", pid, start_time, owner)

    def remove(self, owner: str) -> None:
        self._write("DELETE FROM processes WHERE owner = ?", owner)

    def all(self) -> list[tuple[int, int, str]]:
        return self._read("SELECT pid, start_time, owner FROM processes")

    def _select(self, where: str, *values: Any) -> list[IndexRow]:
        rows = self._read(f"SELECT {_ROW} FROM sessions {where}", *values)  # noqa: S608
        return [_row_of(*row) for row in rows]

    def _read(self, sql: str, *values: Any) -> list[Any]:
        """Raises: StorageError."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise StorageError(
                f"cannot read the index {str(self.path)!r}: {exc}. It is made again from the logs when the "
                "server starts without it.",
                path=str(self.path),
            ) from exc

    def _write(self, sql: str, *values: Any) -> None:
        try:
            self._db.execute(sql, values)
        except sqlite3.Error as exc:
            self._roll_back()
            raise self._error(exc) from exc

    def _roll_back(self) -> None:
        # A full disk may have rolled back by itself already.
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _open_or_renew(self) -> sqlite3.Connection:
        """Raises: sqlite3.Error, OSError."""
        try:
            return self._open()
        except sqlite3.DatabaseError as exc:
            # SQLITE_ERROR: a table or column is not there. Any other is the disk's fault, not the file's.
            if (
                isinstance(exc, sqlite3.OperationalError)
                and exc.sqlite_errorcode != sqlite3.SQLITE_ERROR
            ):
                raise
            logger.error("the index %s cannot be read, making it again: %s", self.path, exc)
            self.path.replace(self.path.with_suffix(".damaged"))
            for suffix in ("-wal", "-shm"):
                self.path.with_name(INDEX_NAME + suffix).unlink(missing_ok=True)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            # Prompts and tool output are nobody else's business.
            self.path.chmod(0o600)
            db.execute("PRAGMA journal_mode=WAL")
            # No fsync in the event loop. The death of the server loses nothing; after that of the machine
            # the file is looked through.
            db.execute("PRAGMA synchronous=OFF")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise StorageError(
                    f"the data directory was written by a newer sandbox-agent-server (format {version}, "
                    f"this one knows {_VERSION}); upgrade, or give another --data-dir",
                    path=str(self.path),
                )
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"it has the format {version}, not {_VERSION}")
            if version == 0:
                db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
            db.executescript(REPLIES_TABLE)
            (is_filled,) = db.execute("PRAGMA application_id").fetchone()
            self.is_new = not is_filled
            _look_through(db)
        except BaseException:
            db.close()
            raise
        return db

    def _error(self, exc: Exception) -> StorageError:
        return _storage_error(exc, self.path)


def _row_of(
    key: int, id: str, seq: Any, updated_ms: Any, size_bytes: Any, is_open: Any, state: Any
) -> IndexRow:
    """One that is damaged says nothing of its session, which then is read from its log."""
    try:
        known = loads(state)
    except (ValueError, TypeError, RecursionError):
        known = None
    numbers = (seq, updated_ms, size_bytes)
    if not isinstance(known, dict) or not all(type(one) is int and one >= 0 for one in numbers):
        return IndexRow(
            key=key, id=id, seq=0, updated_ms=0, size_bytes=0, is_open=bool(is_open), state={}
        )
    return IndexRow(
        key=key,
        id=id,
        seq=seq,
        updated_ms=updated_ms,
        size_bytes=size_bytes,
        is_open=bool(is_open),
        state=known,
    )


def _look_through(db: sqlite3.Connection) -> None:
    """A large one only after a power failure: it takes time. Raises: sqlite3.DatabaseError."""
    boot = _boot_id()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    last = db.execute("SELECT boot FROM machine").fetchone()
    if pages * page_bytes <= _ALWAYS_CHECKED_BYTES or (last is not None and last[0] != boot):
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {verdict}")
    for table in ("sessions", "requests", "processes"):
        db.execute(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608
    db.execute("SELECT session_id FROM replies LIMIT 1")
    db.execute("DELETE FROM machine")
    db.execute("INSERT INTO machine VALUES (?)", (boot,))


def _boot_id() -> str:
    """Another one after every start of the machine; empty where that cannot be known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _lock(data_dir: Path) -> TextIO:
    """Two servers on one log would both number its entries."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not emptied: it says who the other one is, if there is one.
        handle = (data_dir / "server.lock").open("a", encoding="utf-8")
    except OSError as exc:
        raise _storage_error(exc, data_dir / INDEX_NAME) from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        handle.close()
        raise StorageError(
            f"another sandbox-agent-server uses {str(data_dir)!r}; stop it, or give another --data-dir",
            path=str(data_dir),
        ) from exc
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _storage_error(exc: Exception, path: Path) -> StorageError:
    return StorageError(
        f"cannot write the index {str(path)!r}: {exc}. Free space there, make it writable, or give "
        "another --data-dir.",
        path=str(path),
    )


def _last_within(sizes: Sequence[tuple[int, int]], max_bytes: int) -> int | None:
    """Of `(key, bytes)` in order, the key up to which they are no more than that, or the first."""
    last, total = None, 0
    for key, size in sizes:
        total += size
        if last is not None and total > max_bytes:
            break
        last = key
    return last
