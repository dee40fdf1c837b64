"""Entries as bytes for the wire, encoded once and shared by every subscriber."""

from __future__ import annotations

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.projection import is_delta, project_wire

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.store import StoredEntry

__all__ = ["encode"]


def encode(
    entry: StoredEntry, session_id: str, view: EventView, *, deltas: bool = True
) -> bytes | None:
    """One line of JSON; None when the entry has nothing to show in this view."""
    if view == "frames":
        if entry.frames_wire is None:
            entry.frames_wire = _frames_wire(entry)
        if not deltas and is_delta_entry(entry, session_id):
            return None
        return entry.frames_wire
    if entry.universal_wire is None:
        entry.universal_wire = _universal_wire(entry, session_id)
    if not entry.universal_wire or (not deltas and is_delta_entry(entry, session_id)):
        return None
    return entry.universal_wire


def is_delta_entry(entry: StoredEntry, session_id: str) -> bool:
    """True when a later entry carries the whole of what this one adds."""
    if entry.sender != "agent" or entry.method != "session/update":
        return False
    wire = project_wire(entry.to_log_entry(session_id))
    return wire is not None and is_delta(wire["type"])


def _frames_wire(entry: StoredEntry) -> bytes:
    parts = [
        b'{"seq":%d,"time":"%s","sender":"%s"'
        % (entry.seq, rfc3339(entry.time_ms).encode(), entry.sender.encode())
    ]
    if entry.turn_id is not None:
        parts.append(b',"turnId":' + dumps(entry.turn_id))
    if entry.item_id is not None:
        parts.append(b',"itemId":' + dumps(entry.item_id))
    if entry.method is not None:
        parts.append(b',"method":' + dumps(entry.method))
    if entry.facts is not None:
        parts.append(b',"facts":' + dumps(entry.facts))
    parts.append(b',"payload":' + entry.payload + b"}")
    return b"".join(parts)


def _universal_wire(entry: StoredEntry, session_id: str) -> bytes:
    wire = project_wire(entry.to_log_entry(session_id))
    return b"" if wire is None else dumps(wire)
