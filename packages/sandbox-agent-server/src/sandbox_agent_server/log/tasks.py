"""Background tasks that run, as the agent announces them. Each has one begin and one end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_dict, as_text

__all__ = ["RunningTask", "RunningTasks"]

_MAX_ID_CHARS: Final = 512


@dataclass(frozen=True, slots=True)
class RunningTask:
    id: str
    tool_call_id: str | None
    turn_id: str | None
    """In which it was started."""


class RunningTasks:
    def __init__(self) -> None:
        self._tasks: dict[str, RunningTask] = {}
        self.turn_of_call: dict[str, str | None] = {}
        """The calls that started them, and their turns."""

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def __iter__(self) -> Iterator[RunningTask]:
        return iter(tuple(self._tasks.values()))

    def of(self, params: Any) -> RunningTask | None:
        """The task that an announcement is about."""
        return self._tasks.get(_id_of(params) or "")

    def read(
        self, method: str, params: Any, *, turn_id: str | None, max_tasks: int
    ) -> RunningTask | None:
        """Take in an announcement. None when it fits nothing: no id, a second begin, the end of no task, or
        one task too many."""
        task_id, known = _id_of(params), self.of(params)
        if method != extensions.TASK_STARTED:
            if known is not None and method == extensions.TASK_ENDED:
                self.end(known)
            return known
        if task_id is None or known is not None or len(self._tasks) >= max_tasks:
            return None
        task = RunningTask(task_id, as_text(as_dict(params).get("toolCallId")), turn_id)
        self._tasks[task_id] = task
        self._look_again()
        return task

    def end(self, task: RunningTask) -> None:
        self._tasks.pop(task.id, None)
        self._look_again()

    def _look_again(self) -> None:
        self.turn_of_call = {
            task.tool_call_id: task.turn_id
            for task in self._tasks.values()
            if task.tool_call_id is not None
        }


def _id_of(params: Any) -> str | None:
    id = as_text(as_dict(params).get("taskId"))
    return id if id is not None and len(id) <= _MAX_ID_CHARS else None
