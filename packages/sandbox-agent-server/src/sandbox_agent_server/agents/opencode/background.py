"""Sub-agents that OpenCode lets run beside its turn (`OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS`), as tasks.

Each has a session of its own, whose end is the task's. OpenCode then goes on by itself in the main session.
"""

from __future__ import annotations

from typing import Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import Announcement, Native

__all__ = ["Background"]

_MAX_RUNNING: Final = 256
_ABORTED: Final = "MessageAbortedError"


class Background:
    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        """Sessions, and how they will have ended."""
        self.woken_by: str | None = None
        """The task whose end makes OpenCode go on."""

    def read_part(self, part: Native, call_id: str | None) -> list[Announcement]:
        """The call that starts one says so before it runs."""
        state = as_dict(part.get("state"))
        metadata = as_dict(state.get("metadata"))
        session = as_text(metadata.get("sessionId"))
        if metadata.get("background") is not True or session is None:
            return []
        if session in self._running or state.get("status") != "running":
            return []
        if len(self._running) >= _MAX_RUNNING:
            return []
        self._running[session] = "completed"
        title = as_text(as_dict(state.get("input")).get("description")) or "A sub-agent"
        told = {"taskId": session, "kind": "agent", "title": title, "toolCallId": call_id}
        return [(extensions.TASK_STARTED, told)]

    def stopping(self, session: str) -> bool:
        """It is to be stopped. False when it does not run."""
        if session not in self._running:
            return False
        self._running[session] = "stopped"
        return True

    def failed(self, session: str, error: object) -> None:
        if self._running.get(session) == "completed":
            name = as_dict(error).get("name")
            self._running[session] = "stopped" if name == _ABORTED else "failed"

    def idle(self, session: str) -> list[Announcement]:
        status = self._running.pop(session, None)
        if status is None:
            return []
        if status != "stopped":
            self.woken_by = session
        return [(extensions.TASK_ENDED, {"taskId": session, "status": status})]
