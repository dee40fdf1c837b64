"""Claude's background tasks, as it tells of them: which run, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_dict, as_text, compact, dicts_in

from sandbox_agent_server.agents.native.translator import Announcement, Native

__all__ = ["Tasks"]

_MAX_KNOWN: Final = 256
_KINDS: Final = {"local_bash": "shell", "local_agent": "agent"}
_STATUSES: Final = {
    "completed": "completed",
    "failed": "failed",
    "killed": "stopped",
    "stopped": "stopped",
}


@dataclass(slots=True)
class _Task:
    id: str
    kind: str
    title: str
    tool_call_id: str | None
    is_running: bool = False
    """In the background: a sub-agent in the foreground is a tool call, and no task."""
    status: str | None = None


class Tasks:
    """`background_tasks_changed` is the truth about which run, but it comes before `task_started`, which alone
    says by which call. Foreground work is told of by `task_started` too, and may be moved later on."""

    def __init__(self) -> None:
        self._known: dict[str, _Task] = {}
        self._listed: frozenset[str] = frozenset()
        self._ended: str | None = None
        self._readers: dict[str, Callable[[Native], list[Announcement]]] = {
            "task_started": self._started,
            "task_updated": self._updated,
            "task_progress": self._progress,
            "task_notification": self._notification,
            "background_tasks_changed": self._changed,
        }

    def is_running(self, task_id: str) -> bool:
        task = self._known.get(task_id)
        return task is not None and task.is_running

    def take_ended(self) -> str | None:
        """The task that ended last, and was not taken: the one that makes Claude begin a turn of its own."""
        ended, self._ended = self._ended, None
        return ended

    def read(self, message: Native) -> list[Announcement]:
        reader = self._readers.get(str(message.get("subtype")))
        return [] if reader is None else reader(message)

    def _started(self, message: Native) -> list[Announcement]:
        task_id = str(message.get("task_id"))
        if len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        task = self._known[task_id] = _Task(
            task_id,
            _KINDS.get(str(message.get("task_type")), "other"),
            as_text(message.get("description")) or "",
            as_text(message.get("tool_use_id")),
        )
        if message.get("is_backgrounded") is True or task_id in self._listed:
            return self._begin(task)
        return []

    def _updated(self, message: Native) -> list[Announcement]:
        task, patch = self._known.get(str(message.get("task_id"))), as_dict(message.get("patch"))
        if task is None:
            return []
        task.status = _STATUSES.get(str(patch.get("status")), task.status)
        return self._begin(task) if patch.get("is_backgrounded") is True else []

    def _progress(self, message: Native) -> list[Announcement]:
        task, summary = self._known.get(str(message.get("task_id"))), message.get("description")
        if task is None or not task.is_running or as_text(summary) is None:
            return []
        return [(extensions.TASK_UPDATED, {"taskId": task.id, "summary": summary})]

    def _notification(self, message: Native) -> list[Announcement]:
        task = self._known.get(str(message.get("task_id")))
        if task is None:
            return []
        task.status = _STATUSES.get(str(message.get("status")), task.status)
        return self._end(task, as_text(message.get("summary")))

    def _changed(self, message: Native) -> list[Announcement]:
        listed = dicts_in(message.get("tasks"))
        self._listed = frozenset(str(task.get("task_id")) for task in listed)
        said: list[Announcement] = []
        for task in tuple(self._known.values()):
            said += self._begin(task) if task.id in self._listed else self._end(task)
        return said

    def _begin(self, task: _Task) -> list[Announcement]:
        if task.is_running:
            return []
        task.is_running = True
        fields = compact(
            taskId=task.id, kind=task.kind, title=task.title, toolCallId=task.tool_call_id
        )
        return [(extensions.TASK_STARTED, fields)]

    def _end(self, task: _Task, summary: str | None = None) -> list[Announcement]:
        if not task.is_running:
            return []
        del self._known[task.id]
        self._ended = task.id
        fields: dict[str, Any] = {"taskId": task.id, "status": task.status or "stopped"}
        return [(extensions.TASK_ENDED, fields | compact(summary=summary))]
