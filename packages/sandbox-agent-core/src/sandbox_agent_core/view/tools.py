"""Tool calls: every event of a call is a patch of one item, whatever order the events come in."""

from __future__ import annotations

from sandbox_agent_core.events import (
    PermissionRequested,
    ToolCallFields,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
)
from sandbox_agent_core.view.model import ToolItem
from sandbox_agent_core.view.segments import Segments

__all__ = ["Tools"]

_PATCHED = tuple(
    name for name in ToolCallFields.model_fields if name not in {"tool_call_id", "terminal_output"}
)
_PROGRESS = {"pending": 0, "in_progress": 1, "completed": 2, "failed": 2}


class Tools:
    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._calls: dict[str, _Call] = {}
        self._announced: dict[str, ToolCallFields] = {}
        self._unsettled: list[_Call] = []

    def apply(self, event: ToolStarted | ToolUpdated | ToolCompleted) -> None:
        call = self._of(event)
        item = call.item
        _patch(item, event)
        item.late = item.late or event.late
        # The first end of a call is its end, and no duplicate takes it back to an earlier state.
        if event.status is not None and _PROGRESS[event.status] > _PROGRESS[item.status]:
            item.status = event.status
            if isinstance(event, ToolCompleted):
                item.ended_at, item.reason = event.time, event.reason
        if event.terminal_output:
            call.printed.append(event.terminal_output)
            self._unsettled.append(call)

    def announce(self, event: PermissionRequested) -> None:
        """Keep the fields in a permission request: some agents (qwen, Gemini) describe the call nowhere else."""
        fields = event.tool_call
        if fields is not None and fields.tool_call_id not in self._calls:
            self._announced[fields.tool_call_id] = fields

    def settle(self) -> None:
        """Write what terminals printed so far into the items."""
        for call in self._unsettled:
            call.settle()
        self._unsettled.clear()

    def _of(self, event: ToolStarted | ToolUpdated | ToolCompleted) -> _Call:
        call = self._calls.get(event.tool_call_id)
        if call is None or call.is_another(event):
            item = ToolItem(seq=event.seq, time=event.time, tool_call_id=event.tool_call_id)
            if (announced := self._announced.pop(event.tool_call_id, None)) is not None:
                _patch(item, announced)
            call = self._calls[event.tool_call_id] = _Call(item, event.turn_id)
            self._segments.put(item, event.turn_id)
        return call


def _patch(item: ToolItem, fields: ToolCallFields) -> None:
    given = fields.model_fields_set
    for name in _PATCHED:
        if name in given:
            setattr(item, name, getattr(fields, name))


class _Call:
    __slots__ = ("item", "printed", "turn_id")

    def __init__(self, item: ToolItem, turn_id: str | None) -> None:
        self.item = item
        self.turn_id = turn_id
        self.printed: list[str] = []

    def is_another(self, event: ToolStarted | ToolUpdated | ToolCompleted) -> bool:
        """Agents that count their calls anew in every turn use an id twice."""
        return (
            isinstance(event, (ToolStarted, ToolCompleted))
            and not event.late
            and self.item.status in {"completed", "failed"}
            and event.turn_id != self.turn_id
        )

    def settle(self) -> None:
        self.printed = ["".join(self.printed)]
        self.item.terminal_output = self.printed[0]
