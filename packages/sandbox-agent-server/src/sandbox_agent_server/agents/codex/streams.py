"""Text and reasoning of Codex's items as ACP chunks; remembers how much of each was streamed."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.codex.content import text_block
from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.reading import members, text

__all__ = ["Streams", "Update", "chunk"]

Update = dict[str, Any]

_PARAGRAPH: Final = "\n\n"
_MAX_ITEMS: Final = 1024


def chunk(kind: str, said: str, item_id: Any, parent: str | None, **codex: Any) -> Update:
    """`parent` is the tool call of the sub-agent that says it; `codex` goes into `_meta.codex`."""
    update: Update = {"sessionUpdate": kind, "content": text_block(said)}
    if isinstance(item_id, str):
        update["messageId"] = item_id
    meta: dict[str, Any] = {"codex": codex} if codex else {}
    if parent is not None:
        meta["parentToolCallId"] = parent
    if meta:
        update["_meta"] = meta
    return update


class Streams:
    def __init__(self) -> None:
        self._streamed: dict[str, int] = {}
        self._paragraphs: dict[str, int] = {}

    def delta(self, params: Native, parent: str | None, *, is_thought: bool) -> list[Update]:
        """`item/agentMessage/delta`, `item/reasoning/summaryTextDelta` or `item/reasoning/textDelta`."""
        said, item_id = text(params.get("delta")), str(params.get("itemId"))
        if said is None:
            return []
        if len(self._streamed) >= _MAX_ITEMS:
            # Of turns that were interrupted: their items were never completed.
            self._forget(next(iter(self._streamed)))
        self._streamed[item_id] = self._streamed.get(item_id, 0) + len(said)
        if not is_thought:
            return [chunk(acp.AGENT_MESSAGE_CHUNK, said, item_id, parent)]
        said = self._opening(item_id, params) + said
        return [chunk(acp.AGENT_THOUGHT_CHUNK, said, item_id, parent)]

    def _opening(self, item_id: str, params: Native) -> str:
        """Reasoning comes in numbered parts, which are paragraphs."""
        index = params.get("summaryIndex", params.get("contentIndex"))
        if not isinstance(index, int):
            return ""
        before = self._paragraphs.get(item_id)
        self._paragraphs[item_id] = index
        return "" if before is None or before == index else _PARAGRAPH

    def message(self, item: Native, parent: str | None) -> list[Update]:
        """A completed `agentMessage`: what of it was not streamed."""
        said, item_id = text(item.get("text")), str(item.get("id"))
        told = self._forget(item_id)
        if said is None or len(said) <= told:
            return []
        codex = {"phase": item["phase"]} if item.get("phase") else {}
        return [chunk(acp.AGENT_MESSAGE_CHUNK, said[told:], item_id, parent, **codex)]

    def plan(self, item: Native, parent: str | None) -> list[Update]:
        """A completed `plan`: what plan mode proposes. Its deltas need not add up to it, so it comes whole."""
        said = text(item.get("text"))
        if said is None:
            return []
        return [chunk(acp.AGENT_MESSAGE_CHUNK, said, item.get("id"), parent, type="plan")]

    def reasoning(self, item: Native, parent: str | None) -> list[Update]:
        """A completed `reasoning`: all of it, if none was streamed."""
        item_id = str(item.get("id"))
        if self._forget(item_id):
            return []
        parts = [part for key in ("summary", "content") for part in _texts(item.get(key))]
        if not parts:
            return []
        return [chunk(acp.AGENT_THOUGHT_CHUNK, _PARAGRAPH.join(parts), item_id, parent)]

    def _forget(self, item_id: str) -> int:
        """How much of it was streamed."""
        self._paragraphs.pop(item_id, None)
        return self._streamed.pop(item_id, 0)

    def user(self, item: Native, parent: str | None) -> list[Update]:
        """A `userMessage`: the task of a sub-agent, or the history of a session that is loaded."""
        content = item.get("content")
        parts = content if isinstance(content, list) else []
        return [
            chunk(acp.USER_MESSAGE_CHUNK, said, item.get("id"), parent)
            for part in parts
            if (said := text(members(part).get("text"))) is not None
        ]


def _texts(value: Any) -> list[str]:
    return [part for part in value if text(part)] if isinstance(value, list) else []
