"""A log entry before and after it has its place.

A `Draft` is what stamping makes. A `StoredEntry` is a line of the log: the frame view, as bytes, exactly
as it is on disk and as subscribers get it. So an entry is encoded once in its life.
"""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import LogEntry, Sender

from sandbox_agent_server.jsonio import dumps, loads

__all__ = ["Draft", "LineEncoder", "StoredEntry"]


class Draft:
    """An entry that nobody has numbered yet."""

    __slots__ = ("annotations", "item_id", "method", "payload", "sender", "turn_id")

    def __init__(
        self,
        sender: Sender,
        payload: bytes,
        *,
        method: str | None = None,
        turn_id: str | None = None,
        item_id: str | None = None,
        annotations: dict[str, Any] | None = None,
    ) -> None:
        self.sender: Sender = sender
        self.payload = payload
        """The frame as JSON on one line; an agent's frame as the agent wrote it."""
        self.method = method
        self.turn_id = turn_id
        self.item_id = item_id
        self.annotations = annotations

    def __repr__(self) -> str:
        return f"<Draft {self.sender} {self.method}>"


class StoredEntry:
    """A line of the log. Immutable, but for the cache of its other encoding."""

    __slots__ = ("line", "seq", "size_bytes", "universal_wire")

    def __init__(self, seq: int, line: bytes) -> None:
        self.seq = seq
        self.line = line
        """The frame view: `{"seq":…,"time":…,"sender":…,…,"payload":…}`, one line."""
        self.size_bytes = len(line) + 100
        """What it costs in memory, roughly."""
        self.universal_wire: bytes | None = None
        """None until somebody asks; b"" when it projects to no event."""

    def __repr__(self) -> str:
        return f"<StoredEntry {self.seq}>"

    def to_log_entry(self, session_id: str) -> LogEntry:
        return LogEntry.from_wire(session_id, loads(self.line))


class LineEncoder:
    """Writes lines of the frame view.

    Neighbours in a log mostly differ in seq and payload only, so what lies between is kept.
    """

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._middle = b""

    def encode(self, draft: Draft, seq: int, time: bytes) -> bytes:
        """`time` is RFC 3339."""
        key = (draft.sender, draft.turn_id, draft.item_id, draft.method)
        if key != self._key:
            self._key, self._middle = key, _middle(draft)
        annotations = b',"annotations":' + dumps(draft.annotations) if draft.annotations else b""
        return b'{"seq":%d,"time":"%b"%b%b,"payload":%b}' % (
            seq,
            time,
            self._middle,
            annotations,
            draft.payload,
        )


def _middle(draft: Draft) -> bytes:
    parts = [b',"sender":"', draft.sender.encode(), b'"']
    for name, value in (
        (b"turnId", draft.turn_id),
        (b"itemId", draft.item_id),
        (b"method", draft.method),
    ):
        if value is not None:
            parts += (b',"', name, b'":', dumps(value))
    return b"".join(parts)
