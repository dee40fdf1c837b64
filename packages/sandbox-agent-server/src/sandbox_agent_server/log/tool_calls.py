"""The tool calls of a session as its log has seen them: whose turn each belongs to, what was told of it, and
whether it is over. Those of background tasks outlive their turn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sandbox_agent_server.log.tasks import RunningTasks

__all__ = ["ToolCall", "ToolCalls"]

_MAX_OPEN: Final = 512
_MAX_OVER: Final = 1024
"""Calls that are over are known for a while: agents speak of them again."""
_MAX_FACTS_BYTES: Final = 64 * 1024
"""A larger tool frame is not remembered: its bulk is in the log already."""
_MAX_DEPTH: Final = 32
"""Of sub-agents in sub-agents."""
_BULKY: Final = frozenset({"content", "rawInput", "rawOutput"})
_NOT_A_FIELD: Final = frozenset({"sessionUpdate", "toolCallId", "status"})


class ToolCall:
    __slots__ = ("fields", "id", "is_over", "parent", "turn_id")

    def __init__(self, id: str, turn_id: str | None, parent: str | None) -> None:
        self.id = id
        self.turn_id = turn_id
        self.parent = parent
        """The call of the sub-agent that made it."""
        self.fields: dict[str, Any] = {}
        """What updates have told so far."""
        self.is_over = False

    def remember(self, fields: Mapping[str, Any], *, size_bytes: int) -> None:
        """Keep what a later, shorter update of the call will leave out."""
        skip_bulk = size_bytes > _MAX_FACTS_BYTES
        for key, value in fields.items():
            if key in _NOT_A_FIELD or value is None:
                continue
            if skip_bulk and key in _BULKY:
                self.fields.pop(key, None)
            else:
                self.fields[key] = value


class ToolCalls:
    def __init__(self) -> None:
        self._open: dict[str, ToolCall] = {}
        self._over: dict[str, ToolCall] = {}

    def get(self, id: object) -> ToolCall | None:
        """Open or over; None for one that was not told of, or is forgotten."""
        if not isinstance(id, str):
            return None
        return self._open.get(id) or self._over.get(id)

    def add(self, id: str, turn_id: str | None, parent: str | None) -> ToolCall | None:
        """A new call; None when too many are open."""
        if len(self._open) >= _MAX_OPEN:
            return None
        self._over.pop(id, None)
        call = self._open[id] = ToolCall(id, turn_id, parent)
        return call

    def finish(self, call: ToolCall) -> None:
        call.is_over = True
        call.fields = {}
        self._open.pop(call.id, None)
        if len(self._over) >= _MAX_OVER:
            del self._over[next(iter(self._over))]
        self._over[call.id] = call

    def left_open(
        self, running_turns: Collection[str | None], tasks: RunningTasks
    ) -> list[ToolCall]:
        """Calls that neither one of these turns nor a background task will bring to an end."""
        return [
            call
            for call in self._open.values()
            if call.turn_id not in running_turns and not self.is_in_background(call.id, tasks)
        ]

    def is_in_background(self, id: object, tasks: RunningTasks) -> bool:
        """The call started a task that runs, or is made by one."""
        return any(ancestor in tasks.turn_of_call for ancestor in self._line_of(id))

    def _line_of(self, id: object) -> Iterator[str]:
        for _ in range(_MAX_DEPTH):
            if not isinstance(id, str):
                return
            yield id
            call = self.get(id)
            id = call.parent if call is not None else None
