"""Entries as subscribers see them, encoded once and shared by all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.projection import is_delta, project_wire

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Entry

__all__ = ["Batch", "Shown", "encode"]

Shown = list[tuple[int, bytes]]
"""`(seq, line of JSON)` of the entries that show something in a view."""

Body = TypeVar("Body")


class Batch:
    """Neighbouring entries, and what was made of them so far."""

    __slots__ = ("_bodies", "_session_id", "entries", "last_seq")

    def __init__(self, session_id: str, entries: Sequence[Entry]) -> None:
        self._session_id = session_id
        self.entries = entries
        self.last_seq = entries[-1].seq
        self._bodies: dict[object, Any] = {}

    def body(self, view: EventView, write: Callable[[Shown, int], Body], *, deltas: bool) -> Body:
        """What `write` makes of `(what is shown, last seq)`: once, for however many ask for it."""
        key = (view, deltas, write)
        try:
            body: Body = self._bodies[key]
        except KeyError:
            shown = encode(self.entries, self._session_id, view, deltas=deltas)
            body = self._bodies[key] = write(shown, self.last_seq)
        return body


def encode(entries: Iterable[Entry], session_id: str, view: EventView, *, deltas: bool) -> Shown:
    if view == "universal":
        return _universal(entries, session_id, deltas=deltas)
    return [
        (entry.seq, entry.line) for entry in entries if deltas or not _is_delta(entry, session_id)
    ]


def _universal(entries: Iterable[Entry], session_id: str, *, deltas: bool) -> Shown:
    shown: Shown = []
    for entry in entries:
        wire = project_wire(entry.to_log_entry(session_id))
        if wire is not None and (deltas or not is_delta(wire["type"])):
            shown.append((entry.seq, dumps(wire)))
    return shown


def _is_delta(entry: Entry, session_id: str) -> bool:
    """True when a later entry carries the whole of what this one adds."""
    # A delta is an ACP chunk, or the server's own; most other entries end here.
    if b"_chunk" not in entry.line and b'.delta"' not in entry.line:
        return False
    wire = project_wire(entry.to_log_entry(session_id))
    return wire is not None and is_delta(wire["type"])
