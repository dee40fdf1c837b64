"""Turns frames into log entries: says of each which turn, item and method it belongs to.

Pure and stateful: it remembers what the projection may not (the running turn, what a response
answers, the fields of a tool call so far), writes it on the entry, and adds the entries that make
a streamed item whole. Frames of any shape pass: what is not understood is stamped as little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sandbox_agent_core.frames import Frame, LogEntry, Sender, acp, extensions
from sandbox_agent_core.frames.jsonrpc import RequestId, notification
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.messages import parent_of

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.store import Draft

__all__ = ["COMPLETION_BYTES", "Stamper"]

COMPLETION_BYTES: Final = 256 * 1024
"""A streamed item is completed in parts of this size, so that what is held of it stays bounded."""
_MAX_OPEN_TOOLS: Final = 512
_MAX_TOOL_FACTS_BYTES: Final = 64 * 1024
"""A larger tool frame is not remembered: its bulk is in the log already."""
_BULKY: Final = frozenset({"content", "rawInput", "rawOutput"})
_NOT_A_FIELD: Final = frozenset({"sessionUpdate", "toolCallId", "status"})

_MESSAGE_CHUNKS: Final = {
    acp.AGENT_MESSAGE_CHUNK: (extensions.MESSAGE_COMPLETED, "assistant", ""),
    acp.USER_MESSAGE_CHUNK: (extensions.MESSAGE_COMPLETED, "user", ""),
    # Claude gives a message's thought the message's id: keep the two items apart.
    acp.AGENT_THOUGHT_CHUNK: (extensions.REASONING_COMPLETED, None, "/thought"),
}
_COMPLETIONS: Final = frozenset({extensions.MESSAGE_COMPLETED, extensions.REASONING_COMPLETED})
_FINAL: Final = ("completed", "failed")  # no set: a status may be anything, also what has no hash


@dataclass(slots=True)
class _OpenItem:
    """A message or thought that is being streamed."""

    kind: str
    native_id: Any
    item_id: str
    parent: str | None
    turn_id: str | None
    is_late: bool
    blocks: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, content: Any, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        if not isinstance(content, dict):
            return
        text = content.get("text")
        if content.get("type") == "text" and isinstance(text, str):
            self.texts.append(text)
            return
        self._close_text()
        self.blocks.append(content)

    def take(self) -> list[dict[str, Any]]:
        self._close_text()
        blocks, self.blocks, self.size_bytes = self.blocks, [], 0
        return blocks

    def _close_text(self) -> None:
        if self.texts:
            self.blocks.append({"type": "text", "text": "".join(self.texts)})
            self.texts = []


class Stamper:
    def __init__(self, next_seq: Callable[[], int]) -> None:
        self._next_seq = next_seq
        self.turn_id: str | None = None
        self.last_turn_id: str | None = None
        self.is_replaying = False
        """True while `session/load` repeats a history that the log has already."""
        self._asked: dict[RequestId, tuple[str, dict[str, Any] | None]] = {}
        self._items: dict[str | None, _OpenItem] = {}
        self._tools: dict[str, dict[str, Any]] = {}

    def restore(self, turn_id: str, entries: Iterable[LogEntry]) -> None:
        """Remember what a turn had open, from its entries, when the process that knew is gone."""
        self.turn_id = turn_id
        next_seq = self._next_seq
        for entry in entries:
            out: list[Draft] = []  # it is in the log already
            self._next_seq = partial(_place_of, entry, out)
            if entry.method in _COMPLETIONS:
                self._forget_completed(entry)
            elif entry.sender == "agent":
                self._restore_frame(entry.payload, entry, out)
        self._next_seq = next_seq

    def _restore_frame(self, frame: Frame, entry: LogEntry, out: list[Draft]) -> None:
        method, params = frame.get("method"), as_dict(frame.get("params"))
        if method == acp.SESSION_UPDATE:
            kind = as_dict(params.get("update")).get("sessionUpdate")
            # A chunk weighs nothing here, so that no part is completed that was not then.
            is_tool = kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)
            self.update(dumps(frame) if is_tool else b"", frame, out)
        elif isinstance(method, str) and frame.get("id") is not None:
            tool_call = as_dict(params.get("toolCall")) if entry.item_id is not None else None
            self.agent_request(dumps(frame), method, out, tool_call=tool_call)

    # What the client side sends

    def client_frame(
        self,
        frame: Frame,
        *,
        raw: bytes | None = None,
        annotations: dict[str, Any] | None = None,
        expect: dict[str, Any] | None = None,
    ) -> Draft:
        """A frame to the agent. `expect` are annotations for the answer to it, if it is a request."""
        method = frame.get("method")
        if frame.get("id") is not None and isinstance(method, str):
            self._asked[frame["id"]] = (method, expect)
        return Draft(
            "client",
            raw or dumps(frame),
            method=method if isinstance(method, str) else None,
            turn_id=self.turn_id,
            annotations=annotations,
        )

    def begin_turn(self, turn_id: str) -> list[Draft]:
        """What was streamed between turns is completed first."""
        out: list[Draft] = []
        self.close_items(out)
        self.turn_id = turn_id
        return out

    def answer(
        self,
        sender: Sender,
        frame: Frame,
        *,
        method: str,
        request_id: str,
        annotations: dict[str, Any],
    ) -> Draft:
        """The response to a request of the agent, by a person or by the server for them."""
        return Draft(
            sender,
            dumps(frame),
            method=method,
            turn_id=self.turn_id,
            item_id=request_id,
            annotations=annotations,
        )

    # What the server states

    def fact(self, method: str, params: Mapping[str, Any], *, item_id: str | None = None) -> Draft:
        turn_id = params.get("turnId", self.turn_id)
        return Draft(
            "server",
            dumps(notification(method, params)),
            method=method,
            turn_id=turn_id,
            item_id=item_id,
        )

    # What the agent sends

    def update(self, raw: bytes, frame: Frame, out: list[Draft]) -> bool:
        """A `session/update` notification, the hot path.

        False when it is neither a chunk nor about a tool call, so others may want to look at it.
        """
        entry = Draft("agent", raw, method=acp.SESSION_UPDATE, turn_id=self.turn_id)
        if self.is_replaying:
            entry.annotations = {"replay": True}
            out.append(entry)
            return False
        full: _OpenItem | None = None
        is_known = True
        try:
            update = frame["params"]["update"]
            kind = update["sessionUpdate"]
            if kind in _MESSAGE_CHUNKS:
                full = self._chunk(kind, update, len(raw), entry, out)
            elif kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE):
                self._tool(update, len(raw), entry, out)
            else:
                is_known = False
                if kind == acp.PLAN:
                    self.close_items(out)
        except (KeyError, TypeError, AttributeError):
            pass  # Not the shape it should have: logged as it came, the projection says so.
        out.append(entry)
        if full is not None:
            self._complete(full, out)
        return is_known

    def agent_request(
        self,
        raw: bytes,
        method: str,
        out: list[Draft],
        *,
        request_id: str | None = None,
        annotations: dict[str, Any] | None = None,
        tool_call: Mapping[str, Any] | None = None,
    ) -> None:
        """`tool_call`: what a permission is about. Gemini and Qwen describe a tool call nowhere else."""
        self.close_items(out)
        if tool_call is not None and isinstance(tool_id := tool_call.get("toolCallId"), str):
            self._remember(tool_id, tool_call, size_bytes=len(raw))
        out.append(
            Draft(
                "agent",
                raw,
                method=method,
                turn_id=self.turn_id,
                item_id=request_id,
                annotations=annotations,
            )
        )

    def tool_so_far(self, tool_id: object) -> Mapping[str, Any]:
        """What the agent has told of a tool call that is open; empty when that is nothing."""
        return self._tools.get(tool_id, {}) if isinstance(tool_id, str) else {}

    def agent_notification(self, raw: bytes, method: str | None, out: list[Draft]) -> None:
        out.append(Draft("agent", raw, method=method, turn_id=self.turn_id))

    def asked(self, id: object) -> str | None:
        """The method that a response with this id answers; None when nothing was asked under it."""
        return self._asked[id][0] if isinstance(id, (str, int)) and id in self._asked else None

    def agent_response(self, raw: bytes, id: object, out: list[Draft]) -> dict[str, Any] | None:
        """Returns the annotations that were expected with the answer."""
        method = self.asked(id)
        expect: dict[str, Any] | None = None
        if isinstance(id, (str, int)) and method is not None:
            expect = self._asked.pop(id)[1]
        if method == acp.SESSION_PROMPT:
            self.close_turn(out)
        out.append(Draft("agent", raw, method=method, turn_id=self.turn_id, annotations=expect))
        if method == acp.SESSION_PROMPT:
            self.end_turn()
        return expect

    def close_turn(self, out: list[Draft]) -> None:
        """Complete everything that the turn leaves open; call before its last entry."""
        self.close_items(out)
        for tool_id in self._tools:
            params = {"toolCallId": tool_id, "status": "failed", "reason": "turn_ended"}
            entry = self.fact(extensions.TOOL_COMPLETED, params, item_id=tool_id)
            entry.annotations = {"tool": self._tools[tool_id]}
            out.append(entry)
        self._tools.clear()

    def end_turn(self) -> None:
        self.last_turn_id, self.turn_id = self.turn_id, None

    def forget_asked(self) -> None:
        """The agent's process is gone: nobody will answer what it was asked."""
        self._asked.clear()

    def close_items(self, out: list[Draft]) -> None:
        for item in self._items.values():
            self._complete(item, out)
        self._items.clear()

    def _forget_completed(self, completion: LogEntry) -> None:
        item = self._items.get(completion.payload["params"].get("parentToolCallId"))
        if item is not None and item.item_id == completion.item_id:
            item.take()

    def _chunk(
        self,
        kind: str,
        update: dict[str, Any],
        size_bytes: int,
        entry: Draft,
        out: list[Draft],
    ) -> _OpenItem | None:
        """Returns the item when enough of it is held to complete a part."""
        self._mark_late(entry)
        parent = parent_of(update) if "_meta" in update else None
        native_id = update.get("messageId")
        item = self._items.get(parent)
        if item is None or item.kind != kind or item.native_id != native_id:
            if item is not None:
                self._complete(item, out)
            suffix = _MESSAGE_CHUNKS[kind][2]
            known = (
                native_id if isinstance(native_id, str) else f"msg_{self._next_seq() + len(out)}"
            )
            is_late = entry.annotations is not None
            item = _OpenItem(kind, native_id, known + suffix, parent, entry.turn_id, is_late)
            self._items[parent] = item
        entry.item_id = item.item_id
        item.add(update.get("content"), size_bytes)
        if item.size_bytes >= COMPLETION_BYTES:
            return item
        return None

    def _complete(self, item: _OpenItem, out: list[Draft]) -> None:
        blocks = item.take()
        if not blocks:
            return
        method, role, _ = _MESSAGE_CHUNKS[item.kind]
        params: dict[str, Any] = {"messageId": item.item_id, "content": blocks}
        if role is not None:
            params["role"] = role
        if item.parent is not None:
            params["parentToolCallId"] = item.parent
        entry = self.fact(method, params, item_id=item.item_id)
        entry.turn_id = item.turn_id
        if item.is_late:
            entry.annotations = {"late": True}
        out.append(entry)

    def _tool(
        self, update: dict[str, Any], size_bytes: int, entry: Draft, out: list[Draft]
    ) -> None:
        tool_id = update["toolCallId"]
        if not isinstance(tool_id, str):
            return
        entry.item_id = tool_id
        self._mark_late(entry)
        is_final = update.get("status") in _FINAL
        if is_final or update["sessionUpdate"] == acp.TOOL_CALL:
            self.close_items(out)
        known = self._tools.get(tool_id)
        if is_final:
            if known:
                rest = {key: value for key, value in known.items() if update.get(key) is None}
                if rest:
                    entry.annotations = {**(entry.annotations or {}), "tool": rest}
            self._tools.pop(tool_id, None)
            return
        self._remember(tool_id, update, size_bytes=size_bytes)

    def _remember(self, tool_id: str, fields: Mapping[str, Any], *, size_bytes: int) -> None:
        """Keep what a later, shorter update of the tool call will leave out."""
        if tool_id not in self._tools:
            if len(self._tools) >= _MAX_OPEN_TOOLS or self.turn_id is None:
                return
            self._tools[tool_id] = {}
        known = self._tools[tool_id]
        skip_bulk = size_bytes > _MAX_TOOL_FACTS_BYTES
        for key, value in fields.items():
            if key in _NOT_A_FIELD or value is None:
                continue
            if skip_bulk and key in _BULKY:
                known.pop(key, None)
            else:
                known[key] = value

    def _mark_late(self, entry: Draft) -> None:
        if self.turn_id is None and self.last_turn_id is not None:
            entry.turn_id = self.last_turn_id
            entry.annotations = {"late": True}


def _place_of(entry: LogEntry, out: list[Draft]) -> int:
    """The seq that was next when this entry was stamped, for the arithmetic of `Stamper._chunk`."""
    return entry.seq - len(out)
