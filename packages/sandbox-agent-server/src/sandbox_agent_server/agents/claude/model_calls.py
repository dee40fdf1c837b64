"""Answers of Claude's models, each with its tokens: of the main agent as they are streamed, of sub-agents as they come whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.claude.results import counted
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["ModelCall", "ModelCalls"]


@dataclass(slots=True)
class ModelCall:
    id: str | None
    model: str | None
    parent: str | None
    usage: dict[str, Any] = field(default_factory=dict)
    """As Claude counts."""

    @property
    def tokens(self) -> dict[str, int]:
        """As ACP counts."""
        counts = counted(self.usage)
        return {**counts, "totalTokens": sum(counts.values())}

    def add(self, usage: Any) -> None:
        self.usage |= {name: count for name, count in as_dict(usage).items() if count is not None}


class ModelCalls:
    def __init__(self) -> None:
        self._streamed: dict[str | None, ModelCall] = {}
        self._whole: dict[str | None, ModelCall] = {}
        """The last of each agent that was not streamed: it is told once for each of its blocks."""

    def end_turn(self) -> None:
        self._streamed.clear()
        self._whole.clear()

    def read(self, message: Native) -> ModelCall | None:
        """The answer that a message ends, with what it has used."""
        parent = as_text(message.get("parent_tool_use_id"))
        if message.get("type") == "assistant":
            return self._read_whole(parent, as_dict(message.get("message")))
        event = as_dict(message.get("event"))
        if event.get("type") == "message_start":
            started = as_dict(event.get("message"))
            call = self._streamed[parent] = _call(parent, started)
            call.add(started.get("usage"))
        elif event.get("type") == "message_delta" and (open := self._streamed.get(parent)):
            open.add(event.get("usage"))
            return open
        return None

    def _read_whole(self, parent: str | None, body: Mapping[str, Any]) -> ModelCall | None:
        call = _call(parent, body)
        call.add(body.get("usage"))
        streamed = self._streamed.get(parent)
        # Claude makes up messages of its own, which used nothing.
        if (streamed is not None and streamed.id == call.id) or not call.tokens["totalTokens"]:
            return None
        is_news = call != self._whole.get(parent)
        self._whole[parent] = call
        return call if is_news else None


def _call(parent: str | None, body: Mapping[str, Any]) -> ModelCall:
    return ModelCall(as_text(body.get("id")), as_text(body.get("model")), parent)
