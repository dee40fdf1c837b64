"""Background tasks of a transcript. An id may come again when its task is over: that is another task."""

from __future__ import annotations

from sandbox_agent_core.events import TaskEnded, TaskStarted, TaskUpdated
from sandbox_agent_core.view.model import Task

__all__ = ["Tasks"]


class Tasks:
    def __init__(self, tasks: list[Task]) -> None:
        self._all = tasks
        self._running: dict[str, Task] = {}

    def started(self, event: TaskStarted) -> None:
        if event.task_id in self._running:
            return
        task = self._running[event.task_id] = Task(
            id=event.task_id,
            kind=event.kind,
            title=event.title,
            tool_call_id=event.tool_call_id,
            turn_id=event.turn_id,
            started_at=event.time,
        )
        self._all.append(task)

    def updated(self, event: TaskUpdated) -> None:
        task = self._running.get(event.task_id)
        if task is None:
            return
        task.title = event.title or task.title
        task.summary = event.summary or task.summary

    def ended(self, event: TaskEnded) -> None:
        task = self._running.pop(event.task_id, None)
        if task is None:
            # A log that is read from its middle.
            task = Task(id=event.task_id, turn_id=event.turn_id)
            self._all.append(task)
        task.status, task.error, task.ended_at = event.status, event.error, event.time
        task.summary = event.summary or task.summary
