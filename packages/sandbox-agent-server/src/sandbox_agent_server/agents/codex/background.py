"""What Codex goes on with when a turn is over: commands in terminals, and sub-agents, as background tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_int

from sandbox_agent_server.agents.native.translator import Announcement, Native

__all__ = ["Background"]

_STATUSES: Final[Mapping[str, str]] = {"completed": "completed", "interrupted": "stopped"}


class Background:
    """Codex tells nothing of tasks: a command or a sub-agent is one from the end of its turn on."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        """Tasks, by their ids, and their kinds."""
        self._stopped: set[str] = set()

    def kind_of(self, task_id: str) -> str | None:
        return self._running.get(task_id)

    def stopping(self, task_id: str) -> None:
        """Whatever it ends with: somebody wants it stopped."""
        if task_id in self._running:
            self._stopped.add(task_id)

    def goes_on(
        self, task_id: str, *, kind: str, title: str, tool_call_id: str
    ) -> list[Announcement]:
        if task_id in self._running:
            return []
        self._running[task_id] = kind
        told = {"taskId": task_id, "kind": kind, "title": title, "toolCallId": tool_call_id}
        return [(extensions.TASK_STARTED, told)]

    def command_ended(self, item: Native) -> list[Announcement]:
        exit_code = as_int(item.get("exitCode"))
        summary = None if exit_code is None else f"exit code {exit_code}"
        return self._end(str(item.get("id")), str(item.get("status")), summary)

    def agent_ended(self, thread_id: str, turn: Native) -> list[Announcement]:
        return self._end(thread_id, str(turn.get("status")), None)

    def _end(self, task_id: str, status: str, summary: str | None) -> list[Announcement]:
        if self._running.pop(task_id, None) is None:
            return []
        is_stopped = task_id in self._stopped
        self._stopped.discard(task_id)
        how = "stopped" if is_stopped else _STATUSES.get(status, "failed")
        told: dict[str, Any] = {"taskId": task_id, "status": how}
        if summary is not None:
            told["summary"] = summary
        return [(extensions.TASK_ENDED, told)]
