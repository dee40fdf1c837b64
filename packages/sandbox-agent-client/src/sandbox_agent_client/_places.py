"""Where a stream is: in the log of one session, or in those of all. Without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.frames.entry import LogEntry

from sandbox_agent_client._calls.events import Position
from sandbox_agent_client._resume import Cursor

__all__ = ["AllSessionsPlace", "Place", "SessionPlace", "read_entry"]


class Place(Protocol):
    @property
    def after(self) -> Position:
        """Where a new connection goes on."""
        ...

    def accept(self, wire: Mapping[str, Any]) -> LogEntry | None:
        """The entry, when it was not given yet. `{cursor}` of a server only says where it is.

        Raises:
            InternalError: it is not an entry.
            StreamGap: entries before it are missing.
        """
        ...


class SessionPlace:
    def __init__(self, session_id: str, after: int) -> None:
        self._session_id = session_id
        self._cursor = Cursor(after)

    @property
    def after(self) -> int:
        return self._cursor.after

    def accept(self, wire: Mapping[str, Any]) -> LogEntry | None:
        if "cursor" in wire:
            return None  # the seq of the last entry, which says the same
        entry = read_entry(self._session_id, wire)
        return entry if self._cursor.accept(entry.seq) else None


class AllSessionsPlace:
    """What comes after the last cursor comes again over a new connection, and is dropped here."""

    def __init__(self, after: str | None) -> None:
        self.after = after
        self._newest: dict[str, tuple[int, int]] = {}
        """Session -> seq and time of the last entry that was given."""

    def accept(self, wire: Mapping[str, Any]) -> LogEntry | None:
        cursor = wire.get("cursor")
        if isinstance(cursor, str):
            self.after = cursor
            return None
        session_id = wire.get("sessionId")
        if not isinstance(session_id, str):
            raise InternalError(
                "The server sent an event of no session: is this a sandbox-agent server?"
            )
        entry = read_entry(session_id, wire)
        seq, time_ms = self._newest.get(session_id, (0, 0))
        # One that is younger, with a seq that there was already, is of a session that was deleted and made again.
        if entry.seq <= seq and entry.time_ms <= time_ms:
            return None
        self._newest[session_id] = entry.seq, entry.time_ms
        return entry


def read_entry(session_id: str, wire: Mapping[str, Any]) -> LogEntry:
    """Raises: InternalError when it is not an entry."""
    try:
        return LogEntry.from_wire(session_id, wire)
    except ValueError as exc:
        raise InternalError(f"The server sent {exc}: is this a sandbox-agent server?") from exc
