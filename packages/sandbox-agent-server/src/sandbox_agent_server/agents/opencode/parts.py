"""The parts of OpenCode's messages, its own and its sub-agents', as ACP updates. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import Native, Update
from sandbox_agent_server.agents.opencode.changes import patch_in
from sandbox_agent_server.agents.opencode.tools import started, tool_fields, tool_result

__all__ = ["Parts"]

_CHUNKS: Final = {"text": acp.AGENT_MESSAGE_CHUNK, "reasoning": acp.AGENT_THOUGHT_CHUNK}
_SILENT: Final = frozenset({"patch", "snapshot", "step-finish", "step-start"})
_FINAL: Final = frozenset({"completed", "failed"})
_TOLD: Final = ("title", "kind", "status", "rawInput", "locations", "content")
_MAX_PARTS: Final = 4096
"""Remembered of a turn; of a longer one the oldest are forgotten."""
_MAX_SESSIONS: Final = 512
_MAX_EARLIER: Final = 512


@dataclass(slots=True)
class _Part:
    native: Native
    call_id: str = ""
    """Of a tool part: what the client knows the call by."""
    said_chars: int = 0
    last: Update = field(default_factory=dict)
    patch: Native = field(default_factory=dict)
    """Of a permission for the call: the call itself may not tell what was there before."""


class Parts:
    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._parents: dict[str, str | None] = {session_id: None}
        """Session -> the tool call that started it: OpenCode gives a sub-agent a session of its own."""
        self._parts: dict[str, _Part] = {}
        self._call_ids: dict[str, None] = {}
        self._roles: dict[str, str] = {}
        self._earlier: dict[str, None] = {}
        self._tasks: list[str] = []
        """Calls of sub-agents whose session is not known yet."""

    def begin_turn(self) -> None:
        """What was said so far is of earlier turns, and may be told again."""
        self._earlier.update(dict.fromkeys(self._roles))
        _shorten(self._earlier, _MAX_EARLIER)
        self._roles.clear()
        self._parts.clear()
        self._tasks.clear()

    def is_ours(self, session: str) -> bool:
        return session in self._parents

    def is_of_turn(self, message: Native) -> bool:
        return str(message.get("id")) not in self._earlier

    def parent_of(self, session: str | None) -> str | None:
        return self._parents.get(session or "")

    def read_session(self, info: Native) -> None:
        """`session.created`: a sub-agent's names the session that started it."""
        session, parent = as_text(info.get("id")), as_text(info.get("parentID"))
        if session is None or session in self._parents or parent not in self._parents:
            return
        _shorten(self._parents, _MAX_SESSIONS, keep_first=True)
        self._parents[session] = self._tasks.pop(0) if self._tasks else None

    def read_message(self, message: Native) -> None:
        if (message_id := as_text(message.get("id"))) and message_id not in self._earlier:
            self._roles[message_id] = str(message.get("role"))

    def call(self, tool: Native) -> tuple[Native | None, str | None]:
        """The tool part that a request is about, and the id that we gave the call."""
        if (part := self._find(tool)) is not None:
            return part.native, part.call_id
        return None, as_text(tool.get("callID"))

    def _find(self, tool: Native) -> _Part | None:
        message, call_id = tool.get("messageID"), tool.get("callID")
        for part in self._parts.values():
            native = part.native
            if (native.get("messageID"), native.get("callID")) == (message, call_id) and call_id:
                return part
        return None

    def delta(self, properties: Native) -> list[Update]:
        """More of a text. Whether it is a thought only its part tells."""
        part = self._parts.get(str(properties.get("partID")))
        delta = as_text(properties.get("delta"))
        if part is None or delta is None or properties.get("field") != "text":
            return []
        part.said_chars += len(delta)
        return self._chunk(part.native, delta)

    def updated(self, native: Native) -> list[Update] | None:
        """A part as it is now. None for a kind that is not known."""
        part_id, kind = as_text(native.get("id")), native.get("type")
        if part_id is None:
            return None
        if kind in _SILENT or self._roles.get(str(native.get("messageID"))) == "user":
            return []
        if str(native.get("messageID")) in self._earlier:
            return []
        part = self._parts.get(part_id)
        if part is None:
            _shorten(self._parts, _MAX_PARTS - 1)
            part = self._parts[part_id] = _Part(native)
        part.native = native
        if kind in _CHUNKS:
            return self._rest(part)
        return self._tool(part_id, part) if kind == "tool" else None

    def _rest(self, part: _Part) -> list[Update]:
        """What no delta has said."""
        text = as_text(part.native.get("text")) or ""
        rest = text[part.said_chars :]
        if not rest or part.native.get("synthetic") or part.native.get("ignored"):
            return []
        part.said_chars = len(text)
        return self._chunk(part.native, rest)

    def _chunk(self, native: Native, text: str) -> list[Update]:
        kind = _CHUNKS.get(str(native.get("type")))
        if kind is None:
            return []
        update: Update = {
            "sessionUpdate": kind,
            "messageId": native["id"],
            "content": {"type": "text", "text": text},
        }
        return [self._of(native, update)]

    def _tool(self, part_id: str, part: _Part) -> list[Update]:
        native = part.native
        tool, state = as_text(native.get("tool")) or "", as_dict(native.get("state"))
        is_first = not part.call_id
        if is_first:
            part.call_id = self._new_call_id(as_text(native.get("callID")), part_id)
        self._read_task(part.call_id, tool, state, is_new=is_first)
        if not part.last and state.get("status") == "pending" and not state.get("input"):
            return []  # the model still writes what it is about
        fields = tool_fields(tool, state) | tool_result(tool, state, part.patch)
        updates = [] if part.last else self._announced(part, started(tool, fields))
        if fields == part.last:
            return updates  # its times have changed, or what we do not show
        if fields["status"] in _FINAL or not updates:
            part.last = fields
            update = {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": part.call_id, **fields}
            updates.append(self._of(native, update))
        return updates

    def asked(self, tool: Native, call: Update, metadata: Native) -> list[Update]:
        """A call that somebody is asked about is told before that, with what the question says of it."""
        part = self._find(tool)
        if part is None:
            return []
        part.patch = patch_in(metadata)
        fields: Update = {key: call[key] for key in _TOLD if key in call}
        return [] if part.last else self._announced(part, fields)

    def _announced(self, part: _Part, fields: Update) -> list[Update]:
        part.last = fields
        update = {
            "sessionUpdate": acp.TOOL_CALL,
            "toolCallId": part.call_id,
            "name": as_text(part.native.get("tool")) or "",
            **fields,
        }
        return [self._of(part.native, update)]

    def _new_call_id(self, native_id: str | None, part_id: str) -> str:
        """The model's own id; some models number their calls anew in every answer."""
        call_id = native_id if native_id and native_id not in self._call_ids else part_id
        _shorten(self._call_ids, _MAX_PARTS - 1)
        self._call_ids[call_id] = None
        return call_id

    def _read_task(self, call_id: str, tool: str, state: Native, *, is_new: bool) -> None:
        started = as_text(as_dict(state.get("metadata")).get("sessionId"))
        if started is not None:
            if started != self._session_id:
                self._parents[started] = call_id
            if call_id in self._tasks:
                self._tasks.remove(call_id)
        elif is_new and tool == "task":
            self._tasks.append(call_id)

    def _of(self, native: Native, update: Update) -> Update:
        parent = self.parent_of(as_text(native.get("sessionID")))
        return update if parent is None else {**update, "_meta": {"parentToolCallId": parent}}


def _shorten(remembered: dict[str, Any], size: int, *, keep_first: bool = False) -> None:
    while len(remembered) > size:
        keys = iter(remembered)
        if keep_first:
            next(keys)
        del remembered[next(keys)]
