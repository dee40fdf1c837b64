"""OpenCode puts a summary in place of the conversation: asked to, or because its context is full. Pure."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.lenient import as_text, compact

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Compaction"]


class Compaction:
    """Its messages are no words of the agent to anybody but itself: they are told as one event, in the end."""

    def __init__(self) -> None:
        self._is_auto = False
        self._summaries: dict[str, str] = {}
        """By message; what its texts are so far."""

    def read_message(self, message: Native) -> None:
        id = as_text(message.get("id"))
        if id is not None and message.get("role") == "assistant" and message.get("summary") is True:
            self._summaries.setdefault(id, "")

    def is_of(self, message_id: Any) -> bool:
        return message_id in self._summaries

    def read_part(self, part: Native) -> None:
        if part.get("type") == "compaction":
            self._is_auto = part.get("auto") is True
            return
        id = str(part.get("messageID"))
        # Kilo also shows how far it is, as a text.
        if id in self._summaries and part.get("type") == "text" and not part.get("synthetic"):
            self._summaries[id] = as_text(part.get("text")) or ""

    def done(self, pre_tokens: int | None) -> dict[str, Any]:
        """The fields of `context.compacted`."""
        summary = next(reversed(self._summaries.values()), "")
        trigger = "auto" if self._is_auto else "manual"
        self._is_auto = False
        self._summaries.clear()
        return {"trigger": trigger, **compact(preTokens=pre_tokens, summary=summary or None)}
