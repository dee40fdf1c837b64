"""Functions of a client: the call of the agent, and what it was told."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_str, compact, dicts_in
from sandbox_agent_core.projection.parts import Wire, event
from sandbox_agent_core.projection.requests import deadline_of, decision_of, request_id_of

__all__ = ["host_tool_called", "host_tool_resolved"]


def host_tool_called(entry: LogEntry, params: Any) -> Wire:
    asked = as_dict(params)
    data: Wire = {
        "requestId": request_id_of(entry),
        "tool": as_str(asked.get("tool")) or "",
        "input": as_dict(asked.get("input")),
        **compact(client=as_str(asked.get("client"))),
    }
    return event(entry, "host_tool.called", data | deadline_of(entry))


def host_tool_resolved(entry: LogEntry) -> Wire:
    annotations = as_dict(entry.annotations)
    result = as_dict(entry.payload.get("result"))
    outcome = "failed" if result.get("isError") is True else "returned"
    if "error" in entry.payload or annotations.get("outcome") == "cancelled":
        outcome = "cancelled"
    data: Wire = {"requestId": request_id_of(entry), "outcome": outcome}
    if content := dicts_in(result.get("content")):
        data["content"] = content
    decision = decision_of(annotations)
    data |= compact(decidedBy=decision.get("decidedBy"), rule=decision.get("rule"))
    return event(entry, "host_tool.resolved", data)
