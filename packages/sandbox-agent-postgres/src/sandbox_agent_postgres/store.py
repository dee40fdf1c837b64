"""The store: sessions and their entries as rows. The row of a session is the lock of all that is its own."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from psycopg import AsyncCursor, sql
from sandbox_agent_core.errors import LeaseLost, SessionNotFound
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SearchHit, SessionRecord
from sandbox_agent_core.stores.rules import check_lease, new_entries, next_lease
from sandbox_agent_core.stores.searchable import excerpt, searchable_text, words_of

from sandbox_agent_postgres.address import Address
from sandbox_agent_postgres.database import Connection, Database

__all__ = ["PostgresStore"]

T = TypeVar("T")

IDLE_TIMEOUT_MS: Final = 30_000
"""A writer that freezes in the middle loses the lock of its session after this."""
SESSIONS_PER_PRUNING: Final = 100
"""Of one transaction: a million entries deleted at once would hold others up."""
WORD_CHARS: Final = 200
"""What is behind is not looked at: PostgreSQL refuses to look for words of 2 kB."""

_FIELDS: Final = frozenset(field.name for field in fields(SessionRecord))
_COLUMNS_OF_ENTRY: Final = ("text", "int8", "timestamptz", "bytea", "text")
_EntryRow: TypeAlias = tuple[str, int, datetime, bytes, str | None]

_FOUND: Final = """
SELECT session.record, found.session_id, found.seq, found.frame
FROM (
    SELECT session_id, seq, at, frame FROM {entry}
    WHERE to_tsvector('simple', words) @@ plainto_tsquery('simple', %s)
    ORDER BY at DESC, session_id DESC, seq DESC LIMIT %s
) AS found JOIN {session} AS session ON session.id = found.session_id
ORDER BY found.at DESC, found.session_id DESC, found.seq DESC
"""


class PostgresStore:
    """Sessions of any number of programs in one database, each written by one of them at a time.

    Connects at its first use, and makes its tables then. May be used from several event loops and threads. `close` frees
    the connections; a later use opens new ones. Every method raises `StorageError` when the database fails or cannot be
    reached, with nothing written; if the connection was lost while it was, `last_seq` tells.
    """

    def __init__(
        self, url: str, *, schema: str | None = None, pool_size: int | None = None
    ) -> None:
        """`schema` and `pool_size` may be in the URL, too: `postgresql://host/database?schema=agents&pool_size=8`. The
        rest is libpq's, which also reads `PGPASSWORD`, `~/.pgpass`, `PGSERVICE`, `sslmode=…` and so on.

        Raises:
            InvalidRequest: the URL is none that libpq understands, or an option is out of its range.
        """
        self._address = Address.parse(url, schema=schema, pool_size=pool_size)
        self._database: Database | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"PostgresStore({str(self._address)!r}, schema={self._address.schema!r})"

    async def put_session(self, record: SessionRecord, *, lease: Lease | None = None) -> None:
        values = (
            _packed(asdict(replace(record, sandbox=record.sandbox and dict(record.sandbox)))),
            datetime.fromisoformat(record.created_at),
            record.ended_at and datetime.fromisoformat(record.ended_at),
            record.id,
        )

        async def put(connection: Connection) -> None:
            async with self._locked(connection, record.id) as row:
                _check(lease, row)
                await self._execute(
                    connection,
                    "UPDATE {session} SET record = %s, created_at = %s, ended_at = %s WHERE id = %s",
                    values,
                )

        await self._run(put)

    async def get_session(self, session_id: str) -> SessionRecord | None:
        found = await self._records("id = %s", (session_id,), limit=1)
        return found[0] if found else None

    async def list_sessions(
        self, *, limit: int | None = None, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        if before is None:
            return await self._records("true", (), limit=limit)
        place = (datetime.fromisoformat(before.created_at), before.id)
        return await self._records("(created_at, id) < (%s, %s)", place, limit=limit)

    async def append(
        self, session_id: str, entries: Sequence[LogEntry], *, lease: Lease | None = None
    ) -> None:
        async def add(connection: Connection) -> None:
            # Before the lock: no time of ours is others' time, and no limit ends a COPY that waits for its writer.
            rows = {entry.seq: _row_of(session_id, entry) for entry in entries}
            async with self._locked(connection, session_id, make=False) as row:
                _check(lease, row)
                if not row.has_record:
                    raise SessionNotFound(f"There is no session {session_id!r} in the store.")
                new = new_entries(session_id, entries, last_seq=row.last_seq)
                if new:
                    await self._copy(connection, session_id, [rows[entry.seq] for entry in new])

        await self._run(add)

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        rows = await self._rows(
            "SELECT frame FROM {entry} WHERE session_id = %s AND seq > %s ORDER BY seq LIMIT %s",
            (session_id, after, limit),
        )
        return [_entry(session_id, frame) for (frame,) in rows]

    async def last_seq(self, session_id: str) -> int:
        rows = await self._rows("SELECT last_seq FROM {session} WHERE id = %s", (session_id,))
        return rows[0][0] if rows else 0

    async def delete_session(self, session_id: str) -> None:
        async def delete(connection: Connection) -> None:
            async with connection.transaction():
                await self._delete(connection, "id = %s", (session_id,))

        await self._run(delete)

    async def close(self) -> None:
        with self._opening:
            database, self._database = self._database, None
        if database is not None:
            await database.close()

    # SupportsLeases

    async def acquire_lease(self, session_id: str, *, holder: str, ttl_s: float) -> Lease:
        async def acquire(connection: Connection) -> Lease:
            async with self._locked(connection, session_id) as row:
                lease = next_lease(row.lease, session_id, holder=holder, now=row.now, ttl_s=ttl_s)
                await self._put_lease(connection, lease)
            return lease

        return await self._run(acquire)

    async def renew_lease(self, lease: Lease, *, ttl_s: float) -> Lease:
        async def renew(connection: Connection) -> Lease:
            async with self._locked(connection, lease.session_id, make=False) as row:
                _check(lease, row)
                renewed = replace(lease, expires_at=row.now + timedelta(seconds=ttl_s))
                await self._put_lease(connection, renewed)
            return renewed

        return await self._run(renew)

    async def release_lease(self, lease: Lease) -> None:
        async def release(connection: Connection) -> None:
            async with self._locked(connection, lease.session_id, make=False) as row:
                _check(lease, row)
                # Its generation is remembered: the next one is greater.
                await self._put_lease(connection, replace(lease, holder="", expires_at=row.now))

        with suppress(LeaseLost):
            await self._run(release)

    # SupportsSearch

    async def search(self, query: str, *, limit: int = 20) -> list[SearchHit]:
        words = words_of(query)
        if not words:
            return []
        rows = await self._rows(_FOUND, (_indexed(words), limit))
        return [
            SearchHit(
                session=_record(record),
                seq=seq,
                excerpt=excerpt(searchable_text(_entry(session_id, frame)) or "", words),
            )
            for record, session_id, seq, frame in rows
        ]

    # SupportsRetention

    async def prune(self, *, ended_before: datetime) -> int:
        async def prune_some(connection: Connection) -> int:
            async with connection.transaction():
                # One that somebody writes to right now is not waited for: it is not old.
                return await self._delete(
                    connection,
                    "id IN (SELECT id FROM {session} WHERE ended_at < %s AND lease_until <= now() "
                    "ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED)",
                    (ended_before, SESSIONS_PER_PRUNING),
                )

        pruned = 0
        while count := await self._run(prune_some):
            pruned += count
        return pruned

    @asynccontextmanager
    async def _locked(
        self, connection: Connection, session_id: str, *, make: bool = True
    ) -> AsyncIterator[_Row]:
        """A transaction that nobody else changes the session beside; `make`: it may be a new one."""
        async with connection.transaction():
            if make:
                await self._execute(
                    connection,
                    "INSERT INTO {session} (id) VALUES (%s) ON CONFLICT (id) DO UPDATE SET id = excluded.id",
                    (session_id,),
                )
            # The time is the database's: the clocks of those who write may differ. So is the limit of how long it
            # waits for us, which holds when this process is frozen.
            cursor = await self._execute(
                connection,
                "SELECT record IS NOT NULL, last_seq, holder, generation, lease_until, clock_timestamp(), "
                "set_config('idle_in_transaction_session_timeout', %(limit)s, true) "
                "FROM {session} WHERE id = %(id)s FOR UPDATE",
                {"id": session_id, "limit": str(IDLE_TIMEOUT_MS)},
            )
            found = await cursor.fetchone()
            yield _Row.read(session_id, found)

    async def _copy(
        self, connection: Connection, session_id: str, rows: Sequence[_EntryRow]
    ) -> None:
        await self._execute(
            connection,
            "UPDATE {session} SET last_seq = %s WHERE id = %s",
            (rows[-1][1], session_id),
        )
        into = self._named(
            "COPY {entry} (session_id, seq, at, frame, words) FROM STDIN (FORMAT BINARY)"
        )
        async with connection.cursor().copy(into) as copy:
            copy.set_types(_COLUMNS_OF_ENTRY)
            for row in rows:
                await copy.write_row(row)

    async def _put_lease(self, connection: Connection, lease: Lease) -> None:
        await self._execute(
            connection,
            "UPDATE {session} SET holder = %s, generation = %s, lease_until = %s WHERE id = %s",
            (lease.holder, lease.generation, lease.expires_at, lease.session_id),
        )

    async def _delete(self, connection: Connection, where: str, values: tuple[Any, ...]) -> int:
        """In a transaction: how many sessions."""
        cursor = await self._execute(
            connection,
            "DELETE FROM {session} WHERE " + where + " RETURNING id",  # noqa: S608 - our own text
            values,
        )
        ids = [id for (id,) in await cursor.fetchall()]
        # A statement of its own, which sees what was written until the rows of the sessions were locked.
        await self._execute(connection, "DELETE FROM {entry} WHERE session_id = ANY(%s)", (ids,))
        return len(ids)

    async def _records(
        self, where: str, values: tuple[Any, ...], *, limit: int | None
    ) -> list[SessionRecord]:
        rows = await self._rows(
            "SELECT record FROM {session} WHERE record IS NOT NULL AND " + where + " "  # noqa: S608 - our own text
            "ORDER BY created_at DESC, id DESC LIMIT %s",
            (*values, limit),
        )
        return [_record(record) for (record,) in rows]

    async def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        async def read(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = await self._execute(connection, statement, values)
            return await cursor.fetchall()

        return await self._run(read)

    async def _execute(
        self, connection: Connection, statement: str, values: Any
    ) -> AsyncCursor[tuple[Any, ...]]:
        return await connection.execute(self._named(statement), values, binary=True)

    def _named(self, statement: str) -> sql.Composed:
        """Names of tables are whole, so nothing depends on the settings of a connection."""
        schema = self._address.schema
        return sql.SQL(statement).format(
            session=sql.Identifier(schema, "session"), entry=sql.Identifier(schema, "entry")
        )

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with self._opening:
            if self._database is None:
                self._database = Database(self._address)
            database = self._database
        return await database.run(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What is known of a session while it is locked."""

    has_record: bool
    last_seq: int
    lease: Lease | None
    now: datetime

    @classmethod
    def read(cls, session_id: str, found: tuple[Any, ...] | None) -> _Row:
        if found is None:
            return cls(has_record=False, last_seq=0, lease=None, now=datetime.now(UTC))
        has_record, last_seq, holder, generation, until, now, *_ = found
        lease = Lease(session_id=session_id, holder=holder, generation=generation, expires_at=until)
        return cls(has_record=has_record, last_seq=last_seq, lease=lease, now=now)


def _check(lease: Lease | None, row: _Row) -> None:
    if lease is not None:
        check_lease(lease, row.lease)


def _row_of(session_id: str, entry: LogEntry) -> _EntryRow:
    text = searchable_text(entry)
    at = datetime.fromtimestamp(entry.time_ms / 1000, UTC)
    words = None if text is None else _indexed(words_of(text))
    return (session_id, entry.seq, at, _packed(entry.to_wire()), words)


def _indexed(words: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(word[:WORD_CHARS] for word in words))


def _packed(value: dict[str, Any]) -> bytes:
    # Halves of characters pass through as they are.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _unpacked(value: bytes) -> Any:
    return json.loads(value.decode("utf-8", "surrogatepass"))


def _entry(session_id: str, frame: bytes) -> LogEntry:
    return LogEntry.from_wire(session_id, _unpacked(frame))


def _record(record: bytes) -> SessionRecord:
    # What a newer version knows of a session besides is left out.
    known = {name: value for name, value in _unpacked(record).items() if name in _FIELDS}
    return SessionRecord(**known)
