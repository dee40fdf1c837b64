"""Messages and reasoning. An item is its completions, then a tail of deltas that the next one repeats."""

from __future__ import annotations

from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events import (
    MessageCompleted,
    MessageDelta,
    ReasoningCompleted,
    ReasoningDelta,
)
from sandbox_agent_core.view.model import MessageItem, ReasoningItem
from sandbox_agent_core.view.segments import Segments

__all__ = ["Streams"]

_Key = tuple[bool, str | None, str | None]


class Streams:
    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._streams: dict[_Key, _Stream] = {}
        self._unsettled: dict[_Key, _Stream] = {}

    def delta(self, event: MessageDelta | ReasoningDelta) -> None:
        self._of(event).add(event.text, event.content)

    def completed(self, event: MessageCompleted | ReasoningCompleted) -> None:
        stream = self._of(event)
        item = stream.item
        if not stream.has_completion:
            if item.seq != event.seq:
                self._segments.put_again(item, event.turn_id)
            item.seq, item.time, item.late = event.seq, event.time, event.late
            item.parent_tool_call_id = event.parent_tool_call_id
        stream.complete(event.text, event.content)

    def settle(self) -> None:
        """Write what has come so far into the items."""
        for stream in self._unsettled.values():
            stream.settle()
        self._unsettled.clear()

    def _of(
        self, event: MessageDelta | MessageCompleted | ReasoningDelta | ReasoningCompleted
    ) -> _Stream:
        is_message = isinstance(event, (MessageDelta, MessageCompleted))
        # A server that names no message has one of each kind in a turn.
        turn_id = event.turn_id if event.message_id is None else None
        key = (is_message, event.message_id, turn_id)
        stream = self._streams.get(key)
        if stream is None:
            item = _new_item(event)
            stream = self._streams[key] = _Stream(item)
            self._segments.put(item, event.turn_id)
        self._unsettled[key] = stream
        return stream


def _new_item(
    event: MessageDelta | MessageCompleted | ReasoningDelta | ReasoningCompleted,
) -> MessageItem | ReasoningItem:
    item: MessageItem | ReasoningItem
    if isinstance(event, (MessageDelta, MessageCompleted)):
        item = MessageItem(seq=event.seq, time=event.time, id=event.message_id, role=event.role)
    else:
        item = ReasoningItem(seq=event.seq, time=event.time, id=event.message_id)
    item.parent_tool_call_id, item.late = event.parent_tool_call_id, event.late
    return item


class _Stream:
    """Joins the text when it is read, because adding to a long string copies it."""

    __slots__ = ("_attachments", "_completed", "_tail_attachments", "_texts", "item")

    def __init__(self, item: MessageItem | ReasoningItem) -> None:
        self.item = item
        self._texts: list[str] = []
        self._completed = 0
        """How many of the texts are completions; the others are deltas."""
        self._attachments: list[ContentBlock] = []
        self._tail_attachments: list[ContentBlock] = []

    @property
    def has_completion(self) -> bool:
        return self._completed > 0

    def add(self, text: str, block: ContentBlock | None) -> None:
        self._texts.append(text)
        if block is not None and block.type != "text":
            self._tail_attachments.append(block)

    def complete(self, text: str, blocks: list[ContentBlock]) -> None:
        del self._texts[self._completed :]
        self._texts.append(text)
        self._completed = len(self._texts)
        self._attachments += [block for block in blocks if block.type != "text"]
        self._tail_attachments.clear()

    def settle(self) -> None:
        if self._completed > 1:
            self._texts[: self._completed] = ["".join(self._texts[: self._completed])]
            self._completed = 1
        item = self.item
        item.text = "".join(self._texts)
        item.attachments = self._attachments + self._tail_attachments
        item.streaming = len(self._texts) > self._completed
