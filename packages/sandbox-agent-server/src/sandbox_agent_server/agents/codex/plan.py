"""Codex's plan, which every update states whole, as ACP's."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.reading import dicts, text

__all__ = ["plan_update"]

_STATUSES: Final = {"inProgress": "in_progress", "completed": "completed"}


def plan_update(params: Native) -> dict[str, Any]:
    """The update for `turn/plan/updated`."""
    entries = [
        {
            "content": step,
            "priority": "medium",
            "status": _STATUSES.get(str(item.get("status")), "pending"),
        }
        for item in dicts(params.get("plan"))
        if (step := text(item.get("step"))) is not None
    ]
    update: dict[str, Any] = {"sessionUpdate": acp.PLAN, "entries": entries}
    if (explanation := text(params.get("explanation"))) is not None:
        update["_meta"] = {"codex": {"explanation": explanation}}
    return update
