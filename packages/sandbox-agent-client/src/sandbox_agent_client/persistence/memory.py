"""A store that ends with the process: for tests, and to move a session between two sandboxes of one program."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import SessionRecord

__all__ = ["MemoryTranscriptStore"]


class MemoryTranscriptStore:
    """Bounded by nothing but memory. `close` keeps what is stored."""

    def __init__(self) -> None:
        self._sessions: dict[str, SessionRecord] = {}
        self._entries: dict[str, dict[int, LogEntry]] = {}

    async def put_session(self, record: SessionRecord) -> None:
        self._sessions[record.id] = record

    async def get_session(self, session_id: str) -> SessionRecord | None:
        return self._sessions.get(session_id)

    async def list_sessions(self) -> list[SessionRecord]:
        return sorted(self._sessions.values(), key=lambda record: record.created_at, reverse=True)

    async def append(self, session_id: str, entries: Sequence[LogEntry]) -> None:
        stored = self._entries.setdefault(session_id, {})
        for entry in entries:
            stored.setdefault(entry.seq, entry)

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        stored = self._entries.get(session_id, {})
        return [stored[seq] for seq in sorted(stored) if seq > after][:limit]

    async def last_seq(self, session_id: str) -> int:
        return max(self._entries.get(session_id, ()), default=0)

    async def delete_session(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self._entries.pop(session_id, None)

    async def close(self) -> None:
        pass
