"""A store that ends with the process: for tests, and to move a session between two sandboxes of one program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sandbox_agent_core.errors import LeaseLost, SessionNotFound
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SearchHit, SessionRecord
from sandbox_agent_core.stores.rules import (
    check_lease,
    follows,
    has_ended_before,
    new_entries,
    next_lease,
)
from sandbox_agent_core.stores.searchable import excerpt, searchable_text, words_of

__all__ = ["MemoryTranscriptStore", "open_memory"]


class MemoryTranscriptStore:
    """Bounded by nothing but memory. `close` keeps what is stored."""

    def __init__(self) -> None:
        self._sessions: dict[str, SessionRecord] = {}
        self._entries: dict[str, list[LogEntry]] = {}
        self._leases: dict[str, Lease] = {}

    async def put_session(self, record: SessionRecord, *, lease: Lease | None = None) -> None:
        self._check(lease)
        self._sessions[record.id] = record

    async def get_session(self, session_id: str) -> SessionRecord | None:
        return self._sessions.get(session_id)

    async def list_sessions(
        self, *, limit: int | None = None, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        records = self._sessions.values()
        found = [one for one in records if before is None or follows(one, before)]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)[:limit]

    async def append(
        self, session_id: str, entries: Sequence[LogEntry], *, lease: Lease | None = None
    ) -> None:
        self._check(lease)
        if session_id not in self._sessions:
            raise SessionNotFound(f"There is no session {session_id!r} in the store.")
        stored = self._entries.setdefault(session_id, [])
        stored += new_entries(session_id, entries, last_seq=len(stored))

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        return self._entries.get(session_id, [])[after : after + limit]

    async def last_seq(self, session_id: str) -> int:
        return len(self._entries.get(session_id, ()))

    async def delete_session(self, session_id: str) -> None:
        for kept in (self._sessions, self._entries, self._leases):
            kept.pop(session_id, None)

    async def close(self) -> None:
        pass

    # SupportsLeases

    async def acquire_lease(self, session_id: str, *, holder: str, ttl_s: float) -> Lease:
        current = self._leases.get(session_id)
        lease = next_lease(current, session_id, holder=holder, now=_now(), ttl_s=ttl_s)
        self._leases[session_id] = lease
        return lease

    async def renew_lease(self, lease: Lease, *, ttl_s: float) -> Lease:
        self._check(lease)
        renewed = replace(lease, expires_at=_now() + timedelta(seconds=ttl_s))
        self._leases[lease.session_id] = renewed
        return renewed

    async def release_lease(self, lease: Lease) -> None:
        try:
            self._check(lease)
        except LeaseLost:
            return
        # Its generation is remembered: the next one is greater.
        self._leases[lease.session_id] = replace(lease, holder="", expires_at=_now())

    def _check(self, lease: Lease | None) -> None:
        if lease is not None:
            check_lease(lease, self._leases.get(lease.session_id))

    # SupportsSearch

    async def search(self, query: str, *, limit: int = 20) -> list[SearchHit]:
        wanted = set(words_of(query))
        hits: list[tuple[int, SearchHit]] = []
        for session_id, entries in self._entries.items() if wanted else ():
            session = self._sessions[session_id]
            for entry in entries:
                text = searchable_text(entry)
                if text is not None and wanted <= set(words_of(text)):
                    hit = SearchHit(session=session, seq=entry.seq, excerpt=excerpt(text, wanted))
                    hits.append((entry.time_ms, hit))
        hits.sort(key=lambda one: (one[0], one[1].session.id, one[1].seq), reverse=True)
        return [hit for _, hit in hits[:limit]]

    # SupportsRetention

    async def prune(self, *, ended_before: datetime) -> int:
        now = _now()
        held = {lease.session_id for lease in self._leases.values() if lease.expires_at > now}
        old = [
            record.id
            for record in self._sessions.values()
            if record.id not in held and has_ended_before(record.ended_at, ended_before)
        ]
        for session_id in old:
            await self.delete_session(session_id)
        return len(old)


def open_memory(_url: str) -> MemoryTranscriptStore:
    """Of the entry point `memory`: an empty one."""
    return MemoryTranscriptStore()


def _now() -> datetime:
    return datetime.now(UTC)
