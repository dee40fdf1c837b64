"""OpenCode's todo list as ACP's plan. Pure."""

from __future__ import annotations

from typing import Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_text, dicts_in

from sandbox_agent_server.agents.native.translator import Native, Update

__all__ = ["plan_update"]

_STATUSES: Final = {
    "in_progress": "in_progress",
    "completed": "completed",
    # A plan has no word for it: nothing is left to do.
    "cancelled": "completed",
}
_PRIORITIES: Final = frozenset({"high", "medium", "low"})


def plan_update(properties: Native) -> Update:
    """Of `todo.updated`."""
    entries = [
        {
            "content": todo["content"],
            "status": _STATUSES.get(str(todo.get("status")), "pending"),
            "priority": todo["priority"] if todo.get("priority") in _PRIORITIES else "medium",
        }
        for todo in dicts_in(properties.get("todos"))
        if as_text(todo.get("content"))
    ]
    return {"sessionUpdate": acp.PLAN, "entries": entries}
