"""What an agent does beside prompts, in the state of its session: background tasks, and a turn of its own.

Each function says what an entry changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.lenient import as_dict, as_str, as_text
from sandbox_agent_core.projection import task_kind

__all__ = [
    "TaskState",
    "is_of_background",
    "task_ended",
    "task_started",
    "task_updated",
    "turn_started",
]

_TITLE_CHARS: Final = 500
"""Of a background task, in what is kept of it in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A background task that runs."""

    kind: str
    title: str
    tool_call_id: str | None
    turn_id: str | None
    turn_seq: int
    """Where what it may have left open begins."""
    started_ms: int


class Background(Protocol):
    """The part of a session's state that this is about."""

    @property
    def turn_seq(self) -> int: ...
    @property
    def own_turn_id(self) -> str | None: ...
    @property
    def own_turn_seq(self) -> int: ...
    @property
    def tasks(self) -> Mapping[str, TaskState]: ...


Changes = dict[str, Any]


def turn_started(state: Background, entry: LogEntry, _params: dict[str, Any]) -> Changes:
    if not is_of_background(entry):
        return {}
    return {"own_turn_id": entry.turn_id, "own_turn_seq": entry.seq}


def task_started(state: Background, entry: LogEntry, params: dict[str, Any]) -> Changes:
    task_id = as_str(params.get("taskId"))
    if task_id is None or not is_of_background(entry):
        return {}
    if entry.turn_id is not None and entry.turn_id == state.own_turn_id:
        turn_seq = state.own_turn_seq or entry.seq
    else:
        turn_seq = state.turn_seq or entry.seq
    task = TaskState(
        kind=task_kind(params),
        title=_title(params) or "",
        tool_call_id=as_text(params.get("toolCallId")),
        turn_id=entry.turn_id,
        turn_seq=turn_seq,
        started_ms=entry.time_ms,
    )
    return {"tasks": {**state.tasks, task_id: task}}


def task_updated(state: Background, entry: LogEntry, params: dict[str, Any]) -> Changes:
    task_id, title = str(params.get("taskId")), _title(params)
    if title is None or task_id not in state.tasks or not is_of_background(entry):
        return {}
    return {"tasks": {**state.tasks, task_id: replace(state.tasks[task_id], title=title)}}


def task_ended(state: Background, entry: LogEntry, params: dict[str, Any]) -> Changes:
    if entry.sender != "server" and not is_of_background(entry):
        return {}
    ended = str(params.get("taskId"))
    return {"tasks": {id: task for id, task in state.tasks.items() if id != ended}}


def is_of_background(entry: LogEntry) -> bool:
    return as_dict(entry.annotations).get("background") is True


def _title(params: dict[str, Any]) -> str | None:
    title = as_text(params.get("title"))
    return None if title is None else title[:_TITLE_CHARS]
