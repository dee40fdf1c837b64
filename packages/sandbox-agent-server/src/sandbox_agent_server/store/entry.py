"""A log entry as the server holds it: the payload stays the bytes that the agent wrote."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import LogEntry, Sender

from sandbox_agent_server.jsonio import loads

__all__ = ["StoredEntry"]


class StoredEntry:
    """Made by stamping without a place, numbered by the log, immutable from then on.

    `frames_wire` and `universal_wire` cache its two encodings, so that any number of subscribers
    costs one encoding.
    """

    __slots__ = (
        "facts",
        "frames_wire",
        "item_id",
        "method",
        "payload",
        "sender",
        "seq",
        "time_ms",
        "turn_id",
        "universal_wire",
    )

    def __init__(
        self,
        sender: Sender,
        payload: bytes,
        *,
        method: str | None = None,
        turn_id: str | None = None,
        item_id: str | None = None,
        facts: dict[str, Any] | None = None,
        seq: int = 0,
        time_ms: int = 0,
    ) -> None:
        self.sender: Sender = sender
        self.payload = payload
        self.method = method
        self.turn_id = turn_id
        self.item_id = item_id
        self.facts = facts
        self.seq = seq
        self.time_ms = time_ms
        self.frames_wire: bytes | None = None
        # b"" means: projects to no event.
        self.universal_wire: bytes | None = None

    def __repr__(self) -> str:
        return f"<StoredEntry {self.seq} {self.sender} {self.method}>"

    @property
    def size_bytes(self) -> int:
        return len(self.payload) + 200

    def to_log_entry(self, session_id: str) -> LogEntry:
        return LogEntry(
            session_id=session_id,
            seq=self.seq,
            time_ms=self.time_ms,
            sender=self.sender,
            payload=loads(self.payload),
            turn_id=self.turn_id,
            item_id=self.item_id,
            method=self.method,
            facts=self.facts,
        )
