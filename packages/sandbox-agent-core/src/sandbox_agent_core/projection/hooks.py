"""Hooks: what an agent asks before and after a tool, and the answers."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_str, compact
from sandbox_agent_core.projection.parts import Wire, event
from sandbox_agent_core.projection.requests import (
    asked_for,
    deadline_of,
    decision_of,
    request_id_of,
)
from sandbox_agent_core.tool_calls import with_earlier

__all__ = ["hook_requested", "hook_resolved"]

_DECISIONS = frozenset({"allow", "deny", "ask"})


def hook_requested(entry: LogEntry, params: Any) -> Wire:
    asked, annotations = as_dict(params), as_dict(entry.annotations)
    id = request_id_of(entry)
    told = with_earlier(as_dict(asked.get("toolCall")), as_dict(annotations.get("tool")))
    data: Wire = {"requestId": id, "hook": as_str(asked.get("event")) or ""}
    data |= asked_for(told, annotations, id)
    if "output" in asked:
        data["output"] = asked["output"]
    return event(entry, "hook.requested", data | deadline_of(entry))


def hook_resolved(entry: LogEntry) -> Wire:
    annotations = as_dict(entry.annotations)
    result = as_dict(entry.payload.get("result"))
    cancelled = "error" in entry.payload or annotations.get("outcome") == "cancelled"
    data: Wire = {
        "requestId": request_id_of(entry),
        "outcome": "cancelled" if cancelled else "decided",
    }
    decision, updated = as_str(result.get("decision")), result.get("updatedInput")
    data |= compact(
        decision=decision if decision in _DECISIONS else None,
        message=as_str(result.get("message")),
        updatedInput=updated if isinstance(updated, dict) else None,
        context=as_str(result.get("context")),
    )
    return event(entry, "hook.resolved", data | decision_of(annotations))
