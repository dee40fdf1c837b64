"""Log entries in few words."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry, Sender

__all__ = ["NOON_MS", "agent", "answer", "client", "entry", "server", "update"]

NOON_MS = 1_795_435_200_000
"""2026-11-23T12:00:00Z."""


def entry(frame: Any, sender: Sender = "agent", *, seq: int = 1, **stamps: Any) -> LogEntry:
    return LogEntry(
        session_id="ses_1",
        seq=seq,
        time_ms=NOON_MS + seq,
        sender=sender,
        payload=frame,
        turn_id=stamps.pop("turn_id", "turn_1"),
        **stamps,
    )


def agent(method: str, params: Any, **stamps: Any) -> LogEntry:
    """A notification, or a request when an `id` is given."""
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    if "id" in stamps:
        frame["id"] = stamps.pop("id")
    return entry(frame, method=method, **stamps)


def update(kind: str, /, *, stamps: dict[str, Any] | None = None, **fields: Any) -> LogEntry:
    """A `session/update` of the agent."""
    params = {"sessionId": "native", "update": {"sessionUpdate": kind, **fields}}
    return agent("session/update", params, **(stamps or {}))


def client(method: str, params: Any, **stamps: Any) -> LogEntry:
    frame = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    return entry(frame, "client", method=method, **stamps)


def answer(
    method: str, result: Any = None, *, error: Any = None, sender: Sender = "agent", **stamps: Any
) -> LogEntry:
    """The response to a request of that method."""
    frame: dict[str, Any] = {"jsonrpc": "2.0", "id": 7}
    if error is None:
        frame["result"] = result
    else:
        frame["error"] = error
    return entry(frame, sender, method=method, **stamps)


def server(type: str, params: Any, **stamps: Any) -> LogEntry:
    """What the server adds: `server("turn.ended", {...})`."""
    method = extensions.PREFIX + type
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    return entry(frame, stamps.pop("sender", "server"), method=method, **stamps)
