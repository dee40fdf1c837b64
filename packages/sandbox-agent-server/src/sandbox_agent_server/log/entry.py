"""A log entry before and after it has its place.

A `Draft` is what stamping makes. An `Entry` is a line of the log: the frame view, as bytes, exactly as it is
on disk and as subscribers get it. So an entry is encoded once in its life.
"""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import Frame, LogEntry, Sender

from sandbox_agent_server.jsonio import dumps, loads

__all__ = ["Draft", "Entry", "LineEncoder"]


class Draft:
    """An entry that nobody has numbered yet."""

    __slots__ = (
        "annotations",
        "frame",
        "is_chunk",
        "item_id",
        "method",
        "payload",
        "sender",
        "turn_id",
    )

    def __init__(
        self,
        sender: Sender,
        payload: bytes,
        frame: Frame,
        method: str | None = None,
        turn_id: str | None = None,
        *,
        item_id: str | None = None,
        annotations: dict[str, Any] | None = None,
    ) -> None:
        self.sender: Sender = sender
        self.payload = payload
        """The frame as JSON on one line; an agent's frame as the agent wrote it."""
        self.frame = frame
        """The same, read."""
        self.method = method
        self.turn_id = turn_id
        self.item_id = item_id
        self.annotations = annotations
        self.is_chunk = False
        """Part of a message or a tool call, which says nothing of the session itself."""

    def __repr__(self) -> str:
        return f"<Draft {self.sender} {self.method}>"

    def to_log_entry(self, session_id: str, seq: int, time_ms: int) -> LogEntry:
        return LogEntry(
            session_id=session_id,
            seq=seq,
            time_ms=time_ms,
            sender=self.sender,
            payload=self.frame,
            turn_id=self.turn_id,
            item_id=self.item_id,
            method=self.method,
            annotations=self.annotations,
        )


class Entry:
    """A line of the log, without its newline: `{"seq":…,"time":…,"sender":…,…,"payload":…}`."""

    __slots__ = ("_draft", "_time_ms", "line", "seq")

    def __init__(self, seq: int, line: bytes, draft: Draft | None = None, time_ms: int = 0) -> None:
        """With the draft and time that it was made of, it need not be read again to be projected."""
        self.seq = seq
        self.line = line
        self._draft = draft
        self._time_ms = time_ms

    def __repr__(self) -> str:
        return f"<Entry {self.seq}>"

    def to_log_entry(self, session_id: str) -> LogEntry:
        if self._draft is not None:
            return self._draft.to_log_entry(session_id, self.seq, self._time_ms)
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
