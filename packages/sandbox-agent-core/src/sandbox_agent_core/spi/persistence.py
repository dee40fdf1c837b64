"""What keeps transcripts that outlive their sandbox, as protocols: a store, and what it may be able to do besides.

A stored log is one, however many sandboxes a session went through: `stores.segments` says how their logs become one. Who
writes it holds a *lease* on the session. Its generation goes up whenever it changes hands, and a store takes nothing from
the holder of an older one: that is what keeps two writers apart, however long one of them slept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from sandbox_agent_core.frames.entry import LogEntry

__all__ = [
    "Lease",
    "SearchHit",
    "SessionRecord",
    "SupportsLeases",
    "SupportsRetention",
    "SupportsSearch",
    "TranscriptStore",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    id: str
    agent: str
    created_at: str
    """RFC 3339, UTC, in milliseconds: what sessions are ordered by."""
    cwd: str | None = None
    ended_at: str | None = None
    """As `created_at`; None: it may go on."""
    sandbox: Mapping[str, Any] | None = None
    """`SandboxRef.to_json()` of the sandbox where it ran last, when that is known."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What the session was created with, without `env`: keys are never stored. And `segments`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write one session."""

    session_id: str
    holder: str
    """Unique for each start of a process, and readable: `host:pid:random`."""
    generation: int
    """From 1; greater than that of whoever held it before."""
    expires_at: datetime
    """UTC, by the clock of the store. One that has lapsed may be taken by others; until then its holder goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    session: SessionRecord
    seq: int
    """The entry that was found: where to open the transcript."""
    excerpt: str
    """Text around the words, without line breaks; `…` where something was left out."""


class TranscriptStore(Protocol):
    """Safe to use from several tasks of one event loop. Every method raises `StorageError` when the store fails.

    What entries and settings hold comes back as it was, halves of characters (`\\ud83d`) and NUL included.
    """

    async def put_session(self, record: SessionRecord, *, lease: Lease | None = None) -> None:
        """Insert or replace it.

        Raises:
            LeaseLost: `lease` was given and is not the current one; nothing was written.
        """
        ...

    async def get_session(self, session_id: str) -> SessionRecord | None: ...

    async def list_sessions(
        self, *, limit: int | None = None, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        """By `created_at` and id, newest first: those that follow `before` in this order, up to `limit` of them."""
        ...

    async def append(
        self, session_id: str, entries: Sequence[LogEntry], *, lease: Lease | None = None
    ) -> None:
        """Add entries, in order of seq, right behind what is stored; all of them or none.

        One that is there already is kept as it is: appending twice is harmless.

        Raises:
            LeaseLost: `lease` was given and is not the current one; nothing was written.
            SessionNotFound: it has no record.
            StorageError: there would be a gap before or between them; `details` carry `lastSeq` and `seq`.
        """
        ...

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        """In order of seq."""
        ...

    async def last_seq(self, session_id: str) -> int:
        """0 when nothing is stored."""
        ...

    async def delete_session(self, session_id: str) -> None:
        """Its record, its entries and its lease are gone. One that is not stored is no error."""
        ...

    async def close(self) -> None:
        """Free what it holds. Twice is harmless; a later use opens it again."""
        ...


@runtime_checkable
class SupportsLeases(TranscriptStore, Protocol):
    async def acquire_lease(self, session_id: str, *, holder: str, ttl_s: float) -> Lease:
        """Also of a session that is not stored yet. Whoever holds it already gets it anew, with the next generation.

        Raises:
            SessionOwned: another one holds it; `details` carry `holder` and `expiresAt`.
        """
        ...

    async def renew_lease(self, lease: Lease, *, ttl_s: float) -> Lease:
        """The same generation, for `ttl_s` from now; also of one that has lapsed and that nobody took.

        Raises:
            LeaseLost: it is not the current one.
        """
        ...

    async def release_lease(self, lease: Lease) -> None:
        """Others may have it at once, and nothing more is taken with it. One that is not held any more is no error."""
        ...


@runtime_checkable
class SupportsSearch(TranscriptStore, Protocol):
    async def search(self, query: str, *, limit: int = 20) -> list[SearchHit]:
        """Entries whose `searchable_text` has every word of `query`, whatever the case; newest first.

        A word is a run of letters and digits; what is between them matters not. A query without one finds nothing.
        """
        ...


@runtime_checkable
class SupportsRetention(TranscriptStore, Protocol):
    async def prune(self, *, ended_before: datetime) -> int:
        """Delete sessions that ended before; how many. Never one whose lease is held."""
        ...
