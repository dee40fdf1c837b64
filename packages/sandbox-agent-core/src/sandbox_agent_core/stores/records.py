"""The record of a stored session is a fold over its log, so that everybody who writes one writes the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sandbox_agent_core.api.sessions import CreateSession
from sandbox_agent_core.events import SessionCreated, SessionEnded, SessionResumed, SessionUpdated
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry, rfc3339
from sandbox_agent_core.projection import project
from sandbox_agent_core.spi.persistence import SessionRecord

__all__ = ["SEGMENTS", "SETTINGS", "record_after"]

SEGMENTS: Final = "segments"
"""The member of a record's settings that is none: see `stores.segments`."""

_CHANGES: Final = (
    extensions.SESSION_CREATED,
    extensions.SESSION_UPDATED,
    extensions.SESSION_RESUMED,
    extensions.SESSION_ENDED,
)
SETTINGS: Final = CreateSession.model_fields.keys() - {
    # Keys can be in the first two, and functions of a program in the third.
    "env", "mcp_servers", "tools",
    # Made from the log again.
    "context",
    # These have fields of their own.
    "id", "agent", "cwd",
}  # fmt: skip
"""What is kept of how a session was made, by its names in `CreateSession`."""


def record_after(record: SessionRecord, entry: LogEntry) -> SessionRecord:
    """The very same when the entry changes nothing of it."""
    if entry.sender != "server" or entry.method not in _CHANGES:
        return record
    match project(entry):
        case SessionCreated() as event:
            kept = {name: record.settings[name] for name in (SEGMENTS,) if name in record.settings}
            cwd = event.cwd or record.cwd
            return replace(record, cwd=cwd, ended_at=None, settings=kept | _settings_in(event))
        case SessionUpdated() as event:
            return replace(record, settings=record.settings | _settings_in(event))
        case SessionEnded():
            return replace(record, ended_at=rfc3339(entry.time_ms))
        case SessionResumed():
            return replace(record, ended_at=None)
        case _:
            return record


def _settings_in(event: SessionCreated | SessionUpdated) -> dict[str, Any]:
    told = {name: getattr(event, name) for name in sorted(SETTINGS & event.model_fields_set)}
    return {name: value for name, value in told.items() if value is not None}
