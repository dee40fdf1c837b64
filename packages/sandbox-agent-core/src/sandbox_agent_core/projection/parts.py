"""The envelope, and the readings that all families share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox_agent_core.frames.entry import LogEntry, rfc3339
from sandbox_agent_core.lenient import as_dict, as_int, as_list

__all__ = [
    "Wire",
    "blocks_of",
    "event",
    "is_apart",
    "is_block",
    "passed_through",
    "rfc3339_of",
]

Wire = dict[str, Any]


def rfc3339_of(value: Any) -> str | None:
    """A point in time given as text or as milliseconds."""
    ms = as_int(value)
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            ms = round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
        return None if ms is None else rfc3339(ms)
    except (OSError, OverflowError, ValueError):
        return None


def event(entry: LogEntry, type: str, data: Wire, turn_id: Any = None) -> Wire:
    """The wire form of an event; `turn_id` only for an entry that was stamped without one."""
    seq = entry.seq
    session_id = entry.session_id
    wire: Wire = {
        "seq": seq,
        "id": f"{session_id}:{seq}",
        "sessionId": session_id,
        "time": rfc3339(entry.time_ms),
        "type": type,
    }
    turn = entry.turn_id or turn_id
    if isinstance(turn, str):
        wire["turnId"] = turn
    wire["sender"] = entry.sender
    wire["data"] = data
    return wire


def is_apart(entry: LogEntry) -> bool:
    """What an agent says of another session than this one, or asked without being heard: it is no part of this one."""
    annotations = as_dict(entry.annotations)
    return "otherSession" in annotations or "refused" in annotations


def passed_through(entry: LogEntry, update_type: str, update: Any) -> Wire:
    return event(entry, "agent.update", {"updateType": update_type, "update": update})


def blocks_of(value: Any) -> list[Wire]:
    """The content blocks in a list that should hold nothing else; text alone is a block too."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    return [item for item in as_list(value) if is_block(item)]


def is_block(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)
