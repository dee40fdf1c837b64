"""The annotations that the server adds to a log (`frames.extensions`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_int, as_list, as_str, compact
from sandbox_agent_core.projection.answers import fault_of, token_usage
from sandbox_agent_core.projection.messages import completion
from sandbox_agent_core.projection.parts import Wire, event, passed_through, prompt_data
from sandbox_agent_core.projection.tools import tool_closed

__all__ = ["ADAPTER_FACTS", "house_fact"]

ADAPTER_FACTS: Final = frozenset({extensions.AGENT_UNPARSED, extensions.ERROR})
"""The annotations that may also come from the agent's side: its adapter notices them first."""

_STOP_REASONS = frozenset({"interrupted", "error", "cancelled"})


def house_fact(entry: LogEntry, method: str, params: Any) -> Wire:
    """A fact of a newer server, or one that lacks what it needs, is passed through."""
    project = _FACTS.get(method)
    wire = project(entry, params) if project is not None and isinstance(params, dict) else None
    return wire if wire is not None else passed_through(entry, method, params)


def _session_created(entry: LogEntry, params: Wire) -> Wire | None:
    agent = as_str(params.get("agent"))
    if agent is None:
        return None
    data = {"agent": agent} | _texts(params, "cwd", "agentSessionId", "model", "mode")
    for name in ("agentInfo", "metadata"):
        if isinstance(params.get(name), dict):
            data[name] = params[name]
    return event(entry, "session.created", data)


def _session_resumed(entry: LogEntry, params: Wire) -> Wire | None:
    continuity = as_str(params.get("continuity"))
    if continuity not in {"native", "replayed", "lost"}:
        return None
    data = {"continuity": continuity} | _texts(params, "agentSessionId", "reason")
    return event(entry, "session.resumed", data)


def _session_ended(entry: LogEntry, params: Wire) -> Wire:
    data = {"reason": as_str(params.get("reason")) or "ended"} | _texts(params, "detail")
    return event(entry, "session.ended", data)


def _turn_queued(entry: LogEntry, params: Wire) -> Wire:
    data = prompt_data(params.get("prompt")) | compact(position=as_int(params.get("position")))
    return event(entry, "turn.queued", data, params.get("turnId"))


def _turn_dropped(entry: LogEntry, params: Wire) -> Wire:
    data = {"reason": as_str(params.get("reason")) or "cancelled"}
    return event(entry, "turn.dropped", data, params.get("turnId"))


def _turn_ended(entry: LogEntry, params: Wire) -> Wire:
    reason = as_str(params.get("stopReason"))
    data: Wire = {"stopReason": reason if reason in _STOP_REASONS else "error"}
    if isinstance(params.get("error"), dict):
        data["error"] = fault_of(params["error"])
    data |= compact(usage=token_usage(params))
    return event(entry, "turn.ended", data, params.get("turnId"))


def _message_completed(entry: LogEntry, params: Wire) -> Wire:
    return completion(entry, "message.completed", params)


def _reasoning_completed(entry: LogEntry, params: Wire) -> Wire:
    return completion(entry, "reasoning.completed", params)


def _agent_started(entry: LogEntry, params: Wire) -> Wire:
    data = compact(pid=as_int(params.get("pid"))) | _texts(params, "version")
    data["command"] = [part for part in as_list(params.get("command")) if isinstance(part, str)]
    return event(entry, "agent.started", data)


def _agent_exited(entry: LogEntry, params: Wire) -> Wire:
    signal = params.get("signal")
    data = compact(
        exitCode=as_int(params.get("exitCode")),
        signal=signal if isinstance(signal, str) else as_int(signal),
    )
    data |= _texts(params, "stderrTail")
    data["expected"] = params.get("expected") is True
    return event(entry, "agent.exited", data)


def _permission_mode(entry: LogEntry, params: Wire) -> Wire | None:
    mode = as_str(params.get("mode"))
    if mode is None:
        return None
    data = {"permissionMode": mode} | _texts(params, "modeId")
    return event(entry, "permission_mode.changed", data)


def _error(entry: LogEntry, params: Wire) -> Wire:
    data = fault_of(params) | {"retryable": params.get("retryable") is True}
    return event(entry, "error", data | _texts(params, "method"))


def _unparsed(entry: LogEntry, params: Wire) -> Wire:
    return event(entry, "agent.unparsed", _texts(params, "text", "reason"))


def _texts(params: Wire, *names: str) -> Wire:
    return {name: params[name] for name in names if isinstance(params.get(name), str)}


_FACTS: Final[dict[str, Callable[[LogEntry, Wire], Wire | None]]] = {
    extensions.SESSION_CREATED: _session_created,
    extensions.SESSION_RESUMED: _session_resumed,
    extensions.SESSION_ENDED: _session_ended,
    extensions.TURN_QUEUED: _turn_queued,
    extensions.TURN_DROPPED: _turn_dropped,
    extensions.TURN_ENDED: _turn_ended,
    extensions.MESSAGE_COMPLETED: _message_completed,
    extensions.REASONING_COMPLETED: _reasoning_completed,
    extensions.TOOL_COMPLETED: tool_closed,
    extensions.AGENT_STARTED: _agent_started,
    extensions.AGENT_EXITED: _agent_exited,
    extensions.PERMISSION_MODE_CHANGED: _permission_mode,
    extensions.ERROR: _error,
    extensions.AGENT_UNPARSED: _unparsed,
}
