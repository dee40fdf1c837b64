"""Entries as subscribers see them, encoded once and shared by all of them."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.projection import is_delta, project_wire

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.store import StoredEntry

__all__ = ["encode", "encode_batch"]


def encode_batch(
    batch: Sequence[StoredEntry], session_id: str, view: EventView, *, deltas: bool
) -> list[tuple[StoredEntry, bytes]]:
    """The entries that show something in this view, each with its line of JSON."""
    if view == "frames" and deltas:
        return [(entry, entry.line) for entry in batch]
    lines = ((entry, encode(entry, session_id, view, deltas=deltas)) for entry in batch)
    return [(entry, line) for entry, line in lines if line is not None]


def encode(
    entry: StoredEntry, session_id: str, view: EventView, *, deltas: bool = True
) -> bytes | None:
    """One line of JSON; None when the entry has nothing to show in this view."""
    if view == "frames":
        if not deltas and _is_delta(entry, session_id):
            return None
        return entry.line
    if entry.universal_wire is None:
        wire = project_wire(entry.to_log_entry(session_id))
        entry.universal_wire = b"" if wire is None else dumps(wire)
    if not entry.universal_wire or (not deltas and _is_delta(entry, session_id)):
        return None
    return entry.universal_wire


def _is_delta(entry: StoredEntry, session_id: str) -> bool:
    """True when a later entry carries the whole of what this one adds."""
    if b"_chunk" not in entry.line:  # a delta is an ACP chunk; most other entries end here
        return False
    wire = project_wire(entry.to_log_entry(session_id))
    return wire is not None and is_delta(wire["type"])
