"""The persistence interface of the client: a transcript that outlives its sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox_agent_core.frames.entry import LogEntry

__all__ = ["SessionRecord", "TranscriptStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    id: str
    agent: str
    created_at: str
    """RFC 3339, UTC."""
    cwd: str | None = None
    ended_at: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """What the session was created with, without `env`: keys are never stored."""


class TranscriptStore(Protocol):
    async def put_session(self, record: SessionRecord) -> None:
        """Insert or replace."""
        ...

    async def get_session(self, session_id: str) -> SessionRecord | None: ...

    async def list_sessions(self) -> list[SessionRecord]:
        """Newest first."""
        ...

    async def append(self, session_id: str, entries: Sequence[LogEntry]) -> None:
        """Add entries in order of seq. One that is there already is kept: appending twice is harmless."""
        ...

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]: ...

    async def last_seq(self, session_id: str) -> int:
        """0 when nothing is stored."""
        ...

    async def delete_session(self, session_id: str) -> None:
        """Its record and its entries are gone. One that is not stored is no error."""
        ...

    async def close(self) -> None: ...
