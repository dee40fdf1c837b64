"""What an agent does beside prompts, as it announces it: background tasks, and turns of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_str, as_text, compact
from sandbox_agent_core.projection.answers import stop_reason, turn_use
from sandbox_agent_core.projection.faults import fault_of
from sandbox_agent_core.projection.parts import Wire, event

__all__ = ["background", "task_kind"]

_KINDS: Final = ("shell", "agent")
_STATUSES: Final = ("completed", "failed", "stopped")


def background(entry: LogEntry, method: str, params: Any) -> Wire | None:
    """None for what is none of it. The session has made sure that a task has an id and a turn a begin."""
    read = _READERS.get(method)
    if read is None:
        return None
    params = as_dict(params)
    if method in extensions.OF_TASKS and not isinstance(params.get("taskId"), str):
        return None
    data = read(params)
    if method == extensions.TURN_ENDED:
        data |= turn_use(entry.annotations, params)
    return event(entry, method.removeprefix(extensions.PREFIX), data)


def task_kind(params: Wire) -> str:
    kind = params.get("kind")
    return kind if isinstance(kind, str) and kind in _KINDS else "other"


def _task_started(params: Wire) -> Wire:
    return compact(
        taskId=params.get("taskId"),
        kind=task_kind(params),
        title=as_str(params.get("title")),
        toolCallId=as_text(params.get("toolCallId")),
    )


def _task_updated(params: Wire) -> Wire:
    return compact(
        taskId=params.get("taskId"),
        title=as_text(params.get("title")),
        summary=as_text(params.get("summary")),
    )


def _task_ended(params: Wire) -> Wire:
    status = params.get("status")
    return compact(
        taskId=params.get("taskId"),
        # What says nothing that we know was no success.
        status=status if isinstance(status, str) and status in _STATUSES else "failed",
        summary=as_text(params.get("summary")),
        error=_fault(params),
    )


def _turn_started(params: Wire) -> Wire:
    return {"origin": "agent"} | compact(taskId=as_text(params.get("taskId")))


def _turn_ended(params: Wire) -> Wire:
    error = _fault(params)
    reason = "error" if error is not None else stop_reason(params)
    return {"stopReason": reason} | compact(error=error)


def _fault(params: Wire) -> Wire | None:
    return None if params.get("error") is None else fault_of(params["error"])


_READERS: Final[dict[str, Callable[[Wire], Wire]]] = {
    extensions.TASK_STARTED: _task_started,
    extensions.TASK_UPDATED: _task_updated,
    extensions.TASK_ENDED: _task_ended,
    extensions.TURN_STARTED: _turn_started,
    extensions.TURN_ENDED: _turn_ended,
}
