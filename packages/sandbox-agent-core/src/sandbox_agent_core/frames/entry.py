"""One line of a session's log: a frame, who sent it, and what the past says about it.

`turn_id`, `item_id`, `method` and `annotations` are stamped when the entry is appended, so that the
projection from an entry to an event needs nothing but the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, get_args

from sandbox_agent_core.frames.jsonrpc import Frame

__all__ = ["LogEntry", "Sender", "rfc3339"]

Sender = Literal["client", "agent", "server"]
"""Who put the frame on the wire: the client's side, the agent, or the server itself."""

_SENDERS = get_args(Sender)


def rfc3339(time_ms: int) -> str:
    """`2026-11-23T06:15:52.123Z` for milliseconds since the epoch."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{_whole_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _whole_second(seconds: int) -> str:
    # strftime costs more than everything else that is done to an entry.
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    session_id: str
    seq: int
    """Position in the session's log: starts at 1, has no gaps."""
    time_ms: int
    """Milliseconds since the epoch when the server appended it."""
    sender: Sender
    payload: Frame
    """The JSON-RPC frame. Agent frames are kept as the agent wrote them."""
    turn_id: str | None = None
    """The turn that was running, or that this frame starts or ends."""
    item_id: str | None = None
    """Message, tool call or request that the frame belongs to."""
    method: str | None = None
    """The frame's own method or, for a response, the method it answers."""
    annotations: dict[str, Any] | None = None
    """What the projection needs from the past, by method; see `frames.extensions`."""

    def to_wire(self) -> dict[str, Any]:
        """The frame view: `{seq, time, sender, turnId?, itemId?, method?, annotations?, payload}`."""
        wire: dict[str, Any] = {
            "seq": self.seq,
            "time": rfc3339(self.time_ms),
            "sender": self.sender,
        }
        if self.turn_id is not None:
            wire["turnId"] = self.turn_id
        if self.item_id is not None:
            wire["itemId"] = self.item_id
        if self.method is not None:
            wire["method"] = self.method
        if self.annotations:
            wire["annotations"] = self.annotations
        wire["payload"] = self.payload
        return wire

    @classmethod
    def from_wire(cls, session_id: str, wire: Mapping[str, Any]) -> LogEntry:
        """Read an entry of the frame view.

        Raises:
            ValueError: it is not an entry (`seq`, `time`, `sender` and `payload` are required).
        """
        try:
            seq, sender, payload = wire["seq"], wire["sender"], wire["payload"]
            time_ms = round(datetime.fromisoformat(wire["time"]).timestamp() * 1000)
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"not a log entry: {exc!r}") from exc
        if not isinstance(seq, int) or sender not in _SENDERS or not isinstance(payload, dict):
            raise ValueError(f"not a log entry: seq {seq!r}, sender {sender!r}")
        return cls(
            session_id=session_id,
            seq=seq,
            time_ms=time_ms,
            sender=sender,
            payload=payload,
            turn_id=wire.get("turnId"),
            item_id=wire.get("itemId"),
            method=wire.get("method"),
            annotations=wire.get("annotations"),
        )
