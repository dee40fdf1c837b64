"""Logs of sessions as a server keeps them, written by hand: what an agent would have to be talked into saying."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["RecordedLog"]

_NATIVE_ID = "native-1"


class RecordedLog:
    """Written under a server's data directory before it starts, it is a session of that server."""

    def __init__(self, session_id: str, *, agent: str = "mock", cwd: str = "/tmp") -> None:
        self.session_id = session_id
        self.lines: list[str] = []
        self.turns = 0
        self._time = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self._turn_id: str | None = None
        self._server("session.created", {"agent": agent, "cwd": cwd})
        self.frame("agent", "session/new", {"id": 1, "result": {"sessionId": _NATIVE_ID}})

    def write(self, data_dir: Path) -> None:
        directory = data_dir / "sessions" / self.session_id
        directory.mkdir(parents=True)
        (directory / "log.jsonl").write_text("".join(self.lines), encoding="utf-8")

    @property
    def last_seq(self) -> int:
        return len(self.lines)

    def frame(
        self, sender: str, method: str, payload: dict[str, Any], *, item_id: str | None = None
    ) -> None:
        self._time += timedelta(milliseconds=120)
        entry: dict[str, Any] = {
            "seq": len(self.lines) + 1,
            "time": f"{self._time:%Y-%m-%dT%H:%M:%S}.{self._time.microsecond // 1000:03d}Z",
            "sender": sender,
        }
        if self._turn_id:
            entry["turnId"] = self._turn_id
        if item_id is not None:
            entry["itemId"] = item_id
        entry |= {"method": method, "payload": {"jsonrpc": "2.0", **payload}}
        # As the server writes it: whatever cannot be encoded is escaped.
        self.lines.append(json.dumps(entry, separators=(",", ":")) + "\n")

    def _server(self, name: str, params: dict[str, Any], item_id: str | None = None) -> None:
        method = f"_sandbox_agent/{name}"
        self.frame("server", method, {"method": method, "params": params}, item_id=item_id)

    def update(self, update: dict[str, Any], *, item_id: str | None = None) -> None:
        params = {"sessionId": _NATIVE_ID, "update": update}
        self.frame(
            "agent",
            "session/update",
            {"method": "session/update", "params": params},
            item_id=item_id,
        )

    def title(self, title: str) -> None:
        self._server("session.updated", {"title": title})

    def prompt(self, *blocks: str | dict[str, Any]) -> None:
        """Begins a turn."""
        self.turns += 1
        self._turn_id = f"turn_{self.turns}"
        content = [{"type": "text", "text": one} if isinstance(one, str) else one for one in blocks]
        params = {"sessionId": _NATIVE_ID, "prompt": content}
        rpc_id = 100 + self.turns
        self.frame(
            "client",
            "session/prompt",
            {"id": rpc_id, "method": "session/prompt", "params": params},
        )

    def end(self, stop_reason: str = "end_turn") -> None:
        self.frame(
            "agent",
            "session/prompt",
            {"id": 100 + self.turns, "result": {"stopReason": stop_reason}},
        )
        self._turn_id = None

    def say(self, *blocks: str | dict[str, Any], kind: str = "message") -> None:
        """A message, or with `kind` `reasoning` a thought."""
        chunk = "agent_message_chunk" if kind == "message" else "agent_thought_chunk"
        message_id = f"msg_{len(self.lines) + 1}"
        content = [{"type": "text", "text": one} if isinstance(one, str) else one for one in blocks]
        for block in content:
            self.update({"sessionUpdate": chunk, "content": block}, item_id=message_id)
        params: dict[str, Any] = {"messageId": message_id, "content": content}
        if kind == "message":
            params["role"] = "assistant"
        self._server(f"{kind}.completed", params, message_id)

    def call(self, call_id: str, title: str, kind: str = "execute", **fields: Any) -> None:
        """A tool call with its end; `fields` are ACP's: `rawInput`, `content`, `locations`, …"""
        begun = {name: fields[name] for name in ("rawInput", "locations") if name in fields}
        head = {"toolCallId": call_id, "title": title, "kind": kind}
        self.update(
            {"sessionUpdate": "tool_call", "status": "in_progress", **head, **begun},
            item_id=call_id,
        )
        status = fields.pop("status", "completed")
        self.update(
            {"sessionUpdate": "tool_call_update", "status": status, **head, **fields},
            item_id=call_id,
        )

    def plan(self, entries: Sequence[str]) -> None:
        items = [{"content": one, "priority": "medium", "status": "pending"} for one in entries]
        self.update({"sessionUpdate": "plan", "entries": items})
