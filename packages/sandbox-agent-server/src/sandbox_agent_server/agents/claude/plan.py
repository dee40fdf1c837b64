"""Claude's to-do list as an ACP plan: TodoWrite states it whole, the Task tools change it piecemeal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_list

__all__ = ["Plan"]

_STATUSES: Final = frozenset({"pending", "in_progress", "completed"})


class Plan:
    def __init__(self) -> None:
        self._tasks: dict[str, tuple[str, str]] = {}

    def after(self, name: str, tool_input: Any, native: Any) -> list[dict[str, Any]] | None:
        """The entries after a tool has succeeded; None when it is not about the plan."""
        given = tool_input if isinstance(tool_input, Mapping) else {}
        result = native if isinstance(native, Mapping) else {}
        match name:
            case "TodoWrite":
                self._replace(given.get("todos"), "content")
            case "TaskCreate" if isinstance(task := result.get("task"), Mapping):
                self._put(task.get("id"), task.get("subject"), "pending")
            case "TaskUpdate" if result.get("success") is not False:
                self._update(given)
            case "TaskList" if isinstance(result.get("tasks"), list):
                self._replace(result["tasks"], "subject")
            case _:
                return None
        return [
            {"content": content, "priority": "medium", "status": status}
            for content, status in self._tasks.values()
        ]

    def _replace(self, items: Any, content_key: str) -> None:
        self._tasks.clear()
        listed = as_list(items)
        for index, item in enumerate(listed):
            if isinstance(item, Mapping):
                self._put(item.get("id", index), item.get(content_key), item.get("status"))

    def _put(self, task_id: Any, content: Any, status: Any) -> None:
        if isinstance(content, str):
            self._tasks[str(task_id)] = (
                content,
                str(status) if str(status) in _STATUSES else "pending",
            )

    def _update(self, given: Mapping[str, Any]) -> None:
        task_id = str(given.get("taskId"))
        if given.get("status") == "deleted":
            self._tasks.pop(task_id, None)
            return
        # A resumed session updates tasks that this process never saw created.
        content, status = self._tasks.get(task_id, (f"Task {task_id}", "pending"))
        self._put(task_id, given.get("subject") or content, given.get("status") or status)
