"""Drafts, and lines of one log, in few words. The only place of these tests that knows how they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox_agent_core.frames import Frame, LogEntry, Sender
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft, Entry, LineEncoder

__all__ = ["draft", "encoded", "just_written", "read"]


def draft(sender: Sender, frame: Frame, *, raw: bytes | None = None, **stamps: Any) -> Draft:
    return Draft(sender, dumps(frame) if raw is None else raw, frame, **stamps)


def encoded(drafts: Sequence[Draft], times: Sequence[str], *, first_seq: int = 1) -> list[bytes]:
    encoder = LineEncoder()
    return [
        encoder.encode(one, seq, time.encode())
        for seq, (one, time) in enumerate(zip(drafts, times, strict=True), start=first_seq)
    ]


def read(seq: int, line: bytes) -> LogEntry:
    return Entry(seq, line).to_log_entry("ses_1")


def just_written(one: Draft, seq: int, time_ms: int) -> LogEntry:
    """As its followers get it, who need not read the line."""
    return Entry(seq, b"", one, time_ms).to_log_entry("ses_1")
