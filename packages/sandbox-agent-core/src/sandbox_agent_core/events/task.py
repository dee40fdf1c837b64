"""Background tasks: what an agent goes on with beside its turns, a command or a sub-agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.fault import Fault

__all__ = ["TaskEnded", "TaskKind", "TaskStarted", "TaskStatus", "TaskUpdated"]


def _known_kind(kind: Any) -> Any:
    return kind if kind in ("shell", "agent") else "other"


TaskKind = Annotated[Literal["shell", "agent", "other"], BeforeValidator(_known_kind)]
TaskStatus = Literal["completed", "failed", "stopped"]


class TaskStarted(UniversalEvent):
    """Something goes on in the background, also when its turn is over. Exactly one `task.ended` follows."""

    type: Literal["task.started"] = "task.started"
    task_id: str
    """The task, as the agent names it."""
    kind: TaskKind = "other"
    """`shell`: a command; `agent`: a sub-agent; `other`."""
    title: str = ""
    """What it does, for people."""
    tool_call_id: str | None = None
    """The tool call that started it. What a sub-agent does has this call as its parent."""


class TaskUpdated(UniversalEvent):
    """How far a task is. Not every agent says."""

    type: Literal["task.updated"] = "task.updated"
    task_id: str
    """The task."""
    title: str | None = None
    """What it is called now, if that changed."""
    summary: str | None = None
    """What it does at the moment."""


class TaskEnded(UniversalEvent):
    """The task is over. The agent may start a turn of its own because of it."""

    type: Literal["task.ended"] = "task.ended"
    task_id: str
    """The task."""
    status: TaskStatus
    """How. `stopped`: somebody stopped it, by `cancel` or in the agent."""
    summary: str | None = None
    """What came of it, as the agent says."""
    error: Fault | None = None
    """What failed, if that is known."""
