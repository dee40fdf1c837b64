"""Log entries as servers stamp them, for tests without a server."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.entry import Sender
from sandbox_agent_core.frames.jsonrpc import notification, response

__all__ = ["chunk", "completed", "prompt_answer", "server_entry", "sse", "wire"]

TIME_MS = 1_700_000_000_000


def entry(seq: int, sender: Sender, payload: dict[str, Any], **stamped: Any) -> LogEntry:
    return LogEntry(
        session_id="ses_1",
        seq=seq,
        time_ms=TIME_MS + seq,
        sender=sender,
        payload=payload,
        **stamped,
    )


def chunk(seq: int, text: str = "hi", turn: str | None = "turn_1") -> LogEntry:
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    payload = notification("session/update", {"sessionId": "a", "update": update})
    return entry(seq, "agent", payload, turn_id=turn, item_id="msg_1", method="session/update")


def server_entry(seq: int, method: str, turn: str | None = "turn_1", **params: Any) -> LogEntry:
    return entry(seq, "server", notification(method, params), turn_id=turn, method=method)


def completed(seq: int, text: str, *, id: str = "msg_1", **params: Any) -> LogEntry:
    content = [{"type": "text", "text": text}]
    return server_entry(
        seq, extensions.MESSAGE_COMPLETED, messageId=id, role="assistant", content=content, **params
    )


def prompt_answer(seq: int, stop_reason: str = "end_turn", turn: str = "turn_1") -> LogEntry:
    payload = response(1, {"stopReason": stop_reason})
    return entry(seq, "agent", payload, turn_id=turn, method="session/prompt")


def wire(*entries: LogEntry) -> list[dict[str, Any]]:
    return [one.to_wire() for one in entries]


def sse(*entries: LogEntry) -> bytes:
    import json

    return b"".join(
        f"id: {one.seq}\ndata: {json.dumps(one.to_wire())}\n\n".encode() for one in entries
    )
