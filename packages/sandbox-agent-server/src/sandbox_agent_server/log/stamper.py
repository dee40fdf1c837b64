"""Turns frames into log entries: says of each which turn, item and method it belongs to.

Pure and stateful: it remembers what the projection may not (the running turn, what a response
answers, the fields of a tool call so far), writes it on the entry, and adds the entries that make
a streamed item whole. Frames of any shape pass: what is not understood is stamped as little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import Frame, LogEntry, Sender, acp, extensions
from sandbox_agent_core.frames.jsonrpc import RequestId, notification, request_id
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in
from sandbox_agent_core.projection import closed_tool_call, is_apart
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.surrogates import split_half, whole

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step

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
_DELTAS: Final = {
    acp.AGENT_MESSAGE_CHUNK: extensions.MESSAGE_DELTA,
    acp.USER_MESSAGE_CHUNK: extensions.MESSAGE_DELTA,
    acp.AGENT_THOUGHT_CHUNK: extensions.REASONING_DELTA,
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
    half: str = ""
    """The first half of a character that the text ends in. No delta has shown it yet."""
    size_bytes: int = 0

    def add(self, content: Any, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        if not isinstance(content, dict):
            return
        text = content.get("text")
        if content.get("type") == "text" and isinstance(text, str):
            self.texts.append(text)
            self.half = split_half(self.half + text)[1]
            return
        self._close_text()
        self.half = ""
        self.blocks.append(content)

    def take(self) -> list[dict[str, Any]]:
        """What is held, but for half a character that may go on in the next part."""
        self._close_text(keep=self.half)
        blocks, self.blocks, self.size_bytes = self.blocks, [], 0
        return blocks

    def take_rest(self) -> list[dict[str, Any]]:
        self.half = ""
        return self.take()

    def _close_text(self, *, keep: str = "") -> None:
        text = "".join(self.texts).removesuffix(keep)
        if text or (self.texts and not keep):
            self.blocks.append({"type": "text", "text": text})
        self.texts = [keep] if keep else []


class Stamper:
    def __init__(self) -> None:
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
        for entry in entries:
            step = _Replayed(entry.seq)
            if entry.method in _COMPLETIONS:
                self._forget_completed(entry)
            elif entry.method == extensions.TOOL_COMPLETED and entry.item_id is not None:
                self._tools.pop(entry.item_id, None)
            elif entry.sender == "agent":
                self._restore_frame(step, entry.payload, entry)

    def _restore_frame(self, step: Step, frame: Frame, entry: LogEntry) -> None:
        method, params = frame.get("method"), as_dict(frame.get("params"))
        if is_apart(entry):
            return
        if method == acp.SESSION_UPDATE:
            kind = as_dict(params.get("update")).get("sessionUpdate")
            # A chunk weighs nothing here, so that no part is completed that was not then.
            is_tool = kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)
            self.update(step, dumps(frame) if is_tool else b"", frame)
        elif isinstance(method, str) and frame.get("id") is not None:
            tool_call = as_dict(params.get("toolCall")) if entry.item_id is not None else None
            self.agent_request(step, dumps(frame), frame, tool_call=tool_call)

    # What the client's side sends

    def client_frame(
        self,
        step: Step,
        frame: Frame,
        *,
        raw: bytes | None = None,
        answer_annotations: dict[str, Any] | None = None,
    ) -> None:
        """A frame to the agent. `answer_annotations` are those of the answer to it, if it is a request."""
        method = frame.get("method")
        if frame.get("id") is not None and isinstance(method, str):
            self._asked[frame["id"]] = (method, answer_annotations)
        step.append(
            Draft(
                "client",
                raw or dumps(frame),
                frame,
                method=method if isinstance(method, str) else None,
                turn_id=self.turn_id,
            )
        )

    def begin_turn(self, step: Step, turn_id: str) -> None:
        """What was streamed between turns is completed first."""
        self.close_items(step)
        self.turn_id = turn_id

    def answer(
        self,
        step: Step,
        sender: Sender,
        frame: Frame,
        *,
        method: str,
        request_id: str,
        annotations: dict[str, Any],
    ) -> None:
        """The response to a request of the agent, by a person or by the server for them."""
        step.append(
            Draft(
                sender,
                dumps(frame),
                frame,
                method=method,
                turn_id=self.turn_id,
                item_id=request_id,
                annotations=annotations,
            )
        )

    # What the server states

    def server_entry(
        self, step: Step, method: str, params: Mapping[str, Any], *, item_id: str | None = None
    ) -> Draft:
        """One of `frames.extensions`; its params are the data of the event of that name."""
        frame = notification(method, params)
        draft = Draft(
            "server",
            dumps(frame),
            frame,
            method=method,
            turn_id=params.get("turnId", self.turn_id),
            item_id=item_id,
        )
        step.append(draft)
        return draft

    # What the agent sends

    def update(
        self, step: Step, raw: bytes, frame: Frame, *, other_session: str | None = None
    ) -> None:
        """A `session/update` notification, the hot path."""
        entry = Draft("agent", raw, frame, method=acp.SESSION_UPDATE, turn_id=self.turn_id)
        if other_session is not None:
            entry.annotations = {"otherSession": other_session}
            entry.is_chunk = True
            step.drafts.append(entry)
            return
        if self.is_replaying:
            entry.annotations = {"replay": True}
            step.append(entry)
            return
        full: _OpenItem | None = None
        try:
            update = frame["params"]["update"]
            kind = update["sessionUpdate"]
            if kind in _MESSAGE_CHUNKS:
                entry.is_chunk = True
                full = self._chunk(step, kind, update, len(raw), entry)
            elif kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE):
                entry.is_chunk = True
                self._tool(step, update, len(raw), entry)
            elif kind == acp.PLAN:
                self.close_items(step)
        except (KeyError, TypeError, AttributeError):
            pass  # Not the shape it should have: logged as it came, the projection says so.
        if entry.is_chunk:
            step.drafts.append(
                entry
            )  # it says nothing of the session, which `append` would look for
        else:
            step.append(entry)
        if full is not None:
            self._complete(step, full, full.take())

    def agent_request(
        self,
        step: Step,
        raw: bytes,
        frame: Frame,
        *,
        request_id: str | None = None,
        annotations: dict[str, Any] | None = None,
        tool_call: Mapping[str, Any] | None = None,
    ) -> None:
        """`tool_call`: what a permission is about. Gemini and Qwen describe a tool call nowhere else."""
        self.close_items(step)
        if isinstance(tool_call, Mapping) and isinstance(
            tool_id := tool_call.get("toolCallId"), str
        ):
            self._remember(tool_id, tool_call, size_bytes=len(raw))
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame["method"],
                turn_id=self.turn_id,
                item_id=request_id,
                annotations=annotations,
            )
        )

    def refused_request(self, step: Step, raw: bytes, frame: Frame) -> None:
        """One that is put to nobody."""
        self.close_items(step)
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame["method"],
                turn_id=self.turn_id,
                annotations={"refused": True},
            )
        )

    def tool_so_far(self, tool_id: object) -> Mapping[str, Any]:
        """What the agent has told of a tool call that is open; empty when that is nothing."""
        return self._tools.get(tool_id, {}) if isinstance(tool_id, str) else {}

    def agent_notification(self, step: Step, raw: bytes, frame: Frame) -> None:
        method = frame.get("method")
        step.append(Draft("agent", raw, frame, method=method, turn_id=self.turn_id))

    def asked(self, id: object) -> str | None:
        """The method of the request that waits under this id; None when there is none."""
        known = request_id(id)
        return self._asked[known][0] if known is not None and known in self._asked else None

    def answered_by(self, frame: Frame) -> str | None:
        """The method of the request that a frame of the agent answers; None when it answers nothing."""
        return None if "method" in frame else self.asked(frame.get("id"))

    def agent_response(self, step: Step, raw: bytes, frame: Frame, *, last_words: str = "") -> None:
        """The answer to `session/prompt` ends the turn."""
        method = self.answered_by(frame)
        annotations: dict[str, Any] | None = None
        if method is not None and (id := request_id(frame["id"])) is not None:
            annotations = self._asked.pop(id)[1]
        if last_words:
            annotations = {**(annotations or {}), "lastWords": last_words}
        if method == acp.SESSION_PROMPT:
            self.close_turn(step)
        step.append(
            Draft("agent", raw, frame, method=method, turn_id=self.turn_id, annotations=annotations)
        )
        if method == acp.SESSION_PROMPT:
            self.end_turn()

    def close_turn(self, step: Step) -> None:
        """Complete everything that the turn leaves open; call before its last entry."""
        self.close_items(step)
        for tool_id, fields in self._tools.items():
            params = closed_tool_call(tool_id, fields)
            self.server_entry(step, extensions.TOOL_COMPLETED, params, item_id=tool_id)
        self._tools.clear()

    def end_turn(self) -> None:
        self.last_turn_id, self.turn_id = self.turn_id, None

    def take_back(self, id: object) -> None:
        """A request that could not be logged was not asked; a prompt began no turn."""
        if isinstance(id, (str, int)) and self._asked.pop(id, ("",))[0] == acp.SESSION_PROMPT:
            self.turn_id = None

    def forget_asked(self) -> None:
        """The agent's process is gone: nobody will answer what it was asked."""
        self._asked.clear()

    def close_items(self, step: Step) -> None:
        for item in self._items.values():
            self._close(step, item)
        self._items.clear()

    def _forget_completed(self, completion: LogEntry) -> None:
        item = self._items.get(completion.payload["params"].get("parentToolCallId"))
        if item is not None and item.item_id == completion.item_id:
            *_, last = dicts_in(completion.payload["params"].get("content")) or [{}]
            has_half = split_half(as_str(last.get("text")) or "")[1] != ""
            _ = item.take_rest() if has_half else item.take()

    def _chunk(
        self,
        step: Step,
        kind: str,
        update: dict[str, Any],
        size_bytes: int,
        entry: Draft,
    ) -> _OpenItem | None:
        """Returns the item when enough of it is held to complete a part."""
        if self.turn_id is None:
            self._mark_late(entry)
        parent = parent_of(update) if "_meta" in update else None
        native_id = update.get("messageId")
        item = self._items.get(parent)
        if item is None or item.kind != kind or item.native_id != native_id:
            if item is not None:
                self._close(step, item)
            suffix = _MESSAGE_CHUNKS[kind][2]
            known = native_id if isinstance(native_id, str) else f"msg_{step.next_seq}"
            is_late = entry.annotations is not None
            item = _OpenItem(kind, native_id, known + suffix, parent, entry.turn_id, is_late)
            self._items[parent] = item
        entry.item_id = item.item_id
        if item.half:
            entry.annotations = {**(entry.annotations or {}), extensions.HALF: item.half}
        item.add(update.get("content"), size_bytes)
        if item.size_bytes >= COMPLETION_BYTES:
            return item
        return None

    def _close(self, step: Step, item: _OpenItem) -> None:
        if item.half:
            self._about(step, item, _DELTAS[item.kind], {"text": whole(item.half)})
        self._complete(step, item, item.take_rest())

    def _complete(self, step: Step, item: _OpenItem, blocks: list[dict[str, Any]]) -> None:
        if blocks:
            self._about(step, item, _MESSAGE_CHUNKS[item.kind][0], {"content": blocks})

    def _about(self, step: Step, item: _OpenItem, method: str, data: dict[str, Any]) -> None:
        params: dict[str, Any] = {"messageId": item.item_id, **data}
        role = _MESSAGE_CHUNKS[item.kind][1]
        if role is not None:
            params["role"] = role
        if item.parent is not None:
            params["parentToolCallId"] = item.parent
        if item.is_late:
            params["late"] = True
        draft = self.server_entry(step, method, params, item_id=item.item_id)
        draft.turn_id = item.turn_id

    def _tool(self, step: Step, update: dict[str, Any], size_bytes: int, entry: Draft) -> None:
        tool_id = update["toolCallId"]
        if not isinstance(tool_id, str):
            return
        entry.item_id = tool_id
        self._mark_late(entry)
        is_final = update.get("status") in _FINAL
        if is_final or update["sessionUpdate"] == acp.TOOL_CALL:
            self.close_items(step)
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


class _Replayed(Step):
    """An entry that is in the log already: what stamping it again would add is thrown away."""

    __slots__ = ()

    @property
    def next_seq(self) -> int:
        return self.first_seq
