"""What Codex says: text and reasoning as ACP chunks, of which it remembers what was streamed; plans."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_list, as_text, dicts_in

from sandbox_agent_server.agents.native.content import text_block
from sandbox_agent_server.agents.native.translator import Native, Update

__all__ = ["Streams", "plan_update"]

_PARAGRAPH: Final = "\n\n"
_MAX_ITEMS: Final = 1024
_STEP_STATUSES: Final = {"inProgress": "in_progress", "completed": "completed"}


def _chunk(kind: str, said: str, item_id: Any, parent: str | None, **codex: Any) -> Update:
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
        said, item_id = as_text(params.get("delta")), str(params.get("itemId"))
        if said is None:
            return []
        if len(self._streamed) >= _MAX_ITEMS:
            # Of turns that were interrupted: their items were never completed.
            self._forget(next(iter(self._streamed)))
        self._streamed[item_id] = self._streamed.get(item_id, 0) + len(said)
        if not is_thought:
            return [_chunk(acp.AGENT_MESSAGE_CHUNK, said, item_id, parent)]
        said = self._opening(item_id, params) + said
        return [_chunk(acp.AGENT_THOUGHT_CHUNK, said, item_id, parent)]

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
        said, item_id = as_text(item.get("text")), str(item.get("id"))
        told = self._forget(item_id)
        if said is None or len(said) <= told:
            return []
        codex = {"phase": item["phase"]} if item.get("phase") else {}
        return [_chunk(acp.AGENT_MESSAGE_CHUNK, said[told:], item_id, parent, **codex)]

    def plan(self, item: Native, parent: str | None) -> list[Update]:
        """A completed `plan`: what plan mode proposes. Its deltas need not add up to it, so it comes whole."""
        said = as_text(item.get("text"))
        if said is None:
            return []
        return [_chunk(acp.AGENT_MESSAGE_CHUNK, said, item.get("id"), parent, type="plan")]

    def reasoning(self, item: Native, parent: str | None) -> list[Update]:
        """A completed `reasoning`: all of it, if none was streamed."""
        item_id = str(item.get("id"))
        if self._forget(item_id):
            return []
        parts = [
            part
            for key in ("summary", "content")
            for part in as_list(item.get(key))
            if as_text(part) is not None
        ]
        if not parts:
            return []
        return [_chunk(acp.AGENT_THOUGHT_CHUNK, _PARAGRAPH.join(parts), item_id, parent)]

    def _forget(self, item_id: str) -> int:
        """How much of it was streamed."""
        self._paragraphs.pop(item_id, None)
        return self._streamed.pop(item_id, 0)

    def user(self, item: Native, parent: str | None) -> list[Update]:
        """A `userMessage`: the task of a sub-agent, or the history of a session that is loaded."""
        return [
            _chunk(acp.USER_MESSAGE_CHUNK, said, item.get("id"), parent)
            for part in dicts_in(item.get("content"))
            if (said := as_text(part.get("text"))) is not None
        ]


def plan_update(params: Native) -> Update:
    """Of `turn/plan/updated`, which states the plan whole."""
    entries = [
        {
            "content": step,
            "priority": "medium",
            "status": _STEP_STATUSES.get(str(item.get("status")), "pending"),
        }
        for item in dicts_in(params.get("plan"))
        if (step := as_text(item.get("step"))) is not None
    ]
    update: Update = {"sessionUpdate": acp.PLAN, "entries": entries}
    if (explanation := as_text(params.get("explanation"))) is not None:
        update["_meta"] = {"codex": {"explanation": explanation}}
    return update
