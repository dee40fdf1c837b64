"""Messages and thoughts that are being streamed: what was said of each and is in no completion yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in
from sandbox_agent_core.surrogates import split_half, whole

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step

__all__ = ["CHUNKS", "COMPLETION_BYTES", "OpenItem", "OpenItems"]

COMPLETION_BYTES: Final = 256 * 1024
"""A streamed item is completed in parts of this size, so that what is held of it stays bounded."""

CHUNKS: Final = {
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


@dataclass(slots=True)
class OpenItem:
    """One of them."""

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
            if self.half or not text.isascii():
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


class OpenItems:
    """At most one for the agent, and one for each of its sub-agents, by the call that started it."""

    def __init__(self) -> None:
        self._by_parent: dict[str | None, OpenItem] = {}

    def add(
        self,
        step: Step,
        entry: Draft,
        update: Mapping[str, Any],
        kind: str,
        parent: str | None,
        size_bytes: int,
    ) -> OpenItem | None:
        """A chunk, whose entry has its turn. Returns the item when enough of it is held to complete a part."""
        native_id = update.get("messageId")
        item = self._by_parent.get(parent)
        if item is None or item.kind != kind or item.native_id != native_id:
            if item is not None:
                self._close(step, item)
            suffix = CHUNKS[kind][2]
            known = native_id if isinstance(native_id, str) else f"msg_{step.next_seq}"
            is_late = entry.annotations is not None
            item = OpenItem(kind, native_id, known + suffix, parent, entry.turn_id, is_late)
            self._by_parent[parent] = item
        entry.item_id = item.item_id
        if item.half:
            entry.annotations = {**(entry.annotations or {}), extensions.HALF: item.half}
        item.add(update.get("content"), size_bytes)
        if item.size_bytes >= COMPLETION_BYTES:
            return item
        return None

    def complete_part(self, step: Step, item: OpenItem) -> None:
        self._complete(step, item, item.take())

    def close_all(self, step: Step) -> None:
        for item in self._by_parent.values():
            self._close(step, item)
        self._by_parent.clear()

    def close(self, step: Step, parent: str) -> None:
        """What the sub-agent of this call was saying."""
        if (item := self._by_parent.pop(parent, None)) is not None:
            self._close(step, item)

    def forget(self, completion: LogEntry) -> None:
        """What an entry of the log has completed."""
        params = as_dict(completion.payload.get("params"))
        item = self._by_parent.get(params.get("parentToolCallId"))
        if item is not None and item.item_id == completion.item_id:
            *_, last = dicts_in(params.get("content")) or [{}]
            has_half = split_half(as_str(last.get("text")) or "")[1] != ""
            _ = item.take_rest() if has_half else item.take()

    def _close(self, step: Step, item: OpenItem) -> None:
        if item.half:
            self._state(step, item, _DELTAS[item.kind], {"text": whole(item.half)})
        self._complete(step, item, item.take_rest())

    def _complete(self, step: Step, item: OpenItem, blocks: list[dict[str, Any]]) -> None:
        if blocks:
            self._state(step, item, CHUNKS[item.kind][0], {"content": blocks})

    def _state(self, step: Step, item: OpenItem, method: str, data: dict[str, Any]) -> None:
        params: dict[str, Any] = {"messageId": item.item_id, **data}
        role = CHUNKS[item.kind][1]
        if role is not None:
            params["role"] = role
        if item.parent is not None:
            params["parentToolCallId"] = item.parent
        if item.is_late:
            params["late"] = True
        frame = notification(method, params)
        step.append(
            Draft(
                "server",
                dumps(frame),
                frame,
                method=method,
                turn_id=item.turn_id,
                item_id=item.item_id,
            )
        )
