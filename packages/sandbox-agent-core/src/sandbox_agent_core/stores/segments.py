"""How the logs of several servers become one stored log, without I/O.

Every sandbox starts its log of a session at seq 1. A segment is one such log: it says where in
the stored log its entries belong, so that the stored log stays free of gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Segment", "current_segment", "read_segments", "write_segments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    created_at: str
    """When its server created the session: tells one server's log from another's."""
    base: int
    """Entries that were stored before it."""
    skip: int = 0
    """Its own first entries that an earlier part of the stored log holds already."""

    def stored_seq(self, seq: int) -> int:
        return self.base + seq - self.skip

    def server_seq(self, stored: int) -> int:
        return stored - self.base + self.skip


def current_segment(segments: Sequence[Segment], *, created_at: str, last_stored: int) -> Segment:
    """The segment that entries of this server's log belong to from now on.

    The last one when it is the same log; a new one behind everything stored when the log is new, or
    when an older sandbox came back after another one took over.
    """
    if segments and segments[-1].created_at == created_at:
        return segments[-1]
    ends = [*(after.base for after in segments[1:]), last_stored]
    seen = 0
    for segment, end in zip(segments, ends, strict=False):
        if segment.created_at == created_at:
            seen = segment.server_seq(end)
    return Segment(created_at=created_at, base=last_stored, skip=seen)


def read_segments(settings: Mapping[str, Any]) -> list[Segment]:
    """From `SessionRecord.settings`."""
    return [
        Segment(created_at=item["createdAt"], base=item["base"], skip=item.get("skip", 0))
        for item in settings.get("segments", [])
    ]


def write_segments(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [{"createdAt": one.created_at, "base": one.base, "skip": one.skip} for one in segments]
