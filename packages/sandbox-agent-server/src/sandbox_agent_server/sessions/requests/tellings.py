"""What an agent has told of the tool calls that are open, for the permission that it may ask for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.tool_facts import ToolFacts, facts_of

__all__ = ["MAX_CALLS", "Tellings"]

MAX_CALLS: Final = 512
"""Open calls that are remembered. Of one that is forgotten nothing is known, so no rule is passed by it."""
_FACTS: Final = ("kind", "name", "rawInput", "locations", "content", "_meta")
_FINAL: Final = ("completed", "failed")


class Tellings:
    """Of frames of any size: what is kept of one is what decides, not its bulk."""

    def __init__(self) -> None:
        self._calls: dict[str, ToolFacts] = {}

    def of(self, tool_id: object) -> ToolFacts | None:
        """None when the agent has not told of it."""
        return self._calls.get(tool_id) if isinstance(tool_id, str) else None

    def add(self, frame: Frame) -> None:
        """A `session/update` of any shape."""
        update = as_dict(as_dict(frame.get("params")).get("update"))
        if update.get("sessionUpdate") in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE):
            self._add(update.get("toolCallId"), update)

    def _add(self, tool_id: object, update: Mapping[str, Any]) -> None:
        if not isinstance(tool_id, str):
            return
        if update.get("status") in _FINAL:
            self._calls.pop(tool_id, None)
            return
        known = self._calls.get(tool_id)
        if known is None and len(self._calls) >= MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        known = known or ToolFacts()
        told = any(update.get(key) is not None for key in _FACTS)
        self._calls[tool_id] = known.then(facts_of(update)) if told else known

    def clear(self) -> None:
        self._calls.clear()
