"""What was answered to requests that may come again: kept for a while, so that none is carried out twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["TABLE", "KeptReplies", "Reply"]

TABLE: Final = """
CREATE TABLE IF NOT EXISTS replies (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    made_ms INTEGER NOT NULL,
    status INTEGER,
    body BLOB,
    session_id TEXT,
    PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS replies_by_age ON replies (made_ms);
CREATE INDEX IF NOT EXISTS replies_of_session ON replies (session_id);
"""

Read = Callable[..., list[Any]]
Write = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Reply:
    digest: bytes
    """Of the request that it answers."""
    status: int | None
    """None: it was begun, and nothing is known of its end."""
    body: bytes


class KeptReplies:
    """The youngest `max_replies` of the last `keep_s`, of at most `max_bytes` together."""

    def __init__(
        self,
        read: Read,
        write: Write,
        *,
        keep_s: float,
        max_replies: int,
        max_bytes: int,
        now_ms: Callable[[], int],
    ) -> None:
        """`read` and `write` run SQL on the index. Raises: StorageError."""
        self._read = read
        self._write = write
        self._keep_ms = round(keep_s * 1000)
        self._max_replies = max_replies
        self._max_bytes = max_bytes
        self._now_ms = now_ms
        ((self._count, self._bytes),) = read(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM replies"
        )

    def get(self, scope: str, key: str) -> Reply | None:
        """Raises: StorageError."""
        rows = self._read(
            "SELECT digest, status, body FROM replies WHERE scope = ? AND key = ? AND made_ms > ?",
            scope,
            key,
            self._now_ms() - self._keep_ms,
        )
        return Reply(rows[0][0], rows[0][1], rows[0][2] or b"") if rows else None

    def begin(self, scope: str, key: str, digest: bytes) -> None:
        """The request is about to be carried out. Raises: StorageError."""
        self.forget(scope, key)  # one that is too old
        self._make_room()
        self._write(
            "INSERT INTO replies (scope, key, digest, made_ms) VALUES (?, ?, ?, ?)",
            scope,
            key,
            digest,
            self._now_ms(),
        )
        self._count += 1

    def finish(
        self, scope: str, key: str, status: int, body: bytes, *, session_id: str | None = None
    ) -> None:
        """`session_id`: whose it is, and with whom it goes. Raises: StorageError."""
        self._write(
            "UPDATE replies SET status = ?, body = ?, session_id = ? WHERE scope = ? AND key = ?",
            status,
            body,
            session_id,
            scope,
            key,
        )
        self._bytes += len(body)

    def forget(self, scope: str, key: str) -> None:
        """It was not carried out. Raises: StorageError."""
        self._delete("scope = ? AND key = ?", scope, key)

    def forget_session(self, session_id: str) -> None:
        """Nothing of it is kept any more. Raises: StorageError."""
        self._delete("session_id = ?", session_id)

    def _make_room(self) -> None:
        self._delete("made_ms <= ?", self._now_ms() - self._keep_ms)
        while self._count >= self._max_replies or self._bytes > self._max_bytes:
            before = self._count
            self._delete("rowid = (SELECT rowid FROM replies ORDER BY made_ms LIMIT 1)")
            if self._count == before:
                return

    def _delete(self, where: str, *values: Any) -> None:
        gone = self._read(
            f"SELECT coalesce(length(body), 0) FROM replies WHERE {where}",  # noqa: S608
            *values,
        )
        if gone:
            self._write(f"DELETE FROM replies WHERE {where}", *values)  # noqa: S608
            self._count -= len(gone)
            self._bytes -= sum(size for (size,) in gone)
