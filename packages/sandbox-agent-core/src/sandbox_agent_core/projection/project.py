"""The projection itself: a log entry is at most one event, and the entry is all that it takes."""

from __future__ import annotations

import json
from typing import Any

from sandbox_agent_core.events.agent import AgentUpdate
from sandbox_agent_core.events.parsing import Event, is_delta, parse_event
from sandbox_agent_core.frames import acp, extensions, operations
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.answers import agent_answer
from sandbox_agent_core.projection.background import background
from sandbox_agent_core.projection.hooks import hook_requested, hook_resolved
from sandbox_agent_core.projection.host_tools import host_tool_called, host_tool_resolved
from sandbox_agent_core.projection.messages import completion
from sandbox_agent_core.projection.parts import (
    Wire,
    event,
    is_apart,
    passed_through,
)
from sandbox_agent_core.projection.requests import (
    permission_requested,
    permission_resolved,
    question_requested,
    question_resolved,
)
from sandbox_agent_core.projection.turns import turn_started
from sandbox_agent_core.projection.updates import model_responded, session_update
from sandbox_agent_core.surrogates import mended

__all__ = ["project", "project_wire"]

_COMPLETIONS = {
    extensions.MESSAGE_COMPLETED: "message.completed",
    extensions.REASONING_COMPLETED: "reasoning.completed",
}


def project(entry: LogEntry) -> Event | None:
    """The typed event of an entry, with the entry's frame as its `payload`."""
    wire = project_wire(entry)
    return None if wire is None else parse_event(wire, payload=entry.payload)


def project_wire(entry: LogEntry) -> Wire | None:
    """The wire form of the event of an entry, without building models: the server streams this.

    Never raises, whatever the frame holds. Everything from the agent is an event, except answers
    that tell nothing new, `$/cancel_request`, a second end of a tool call, and history that
    `session/load` replays.

    Every text in it can be encoded: halves of characters are joined, or replaced by U+FFFD.
    """
    wire = _projected(entry)
    # An agent's delta is mended where it is made: there the half before it is known.
    if wire is not None and not (entry.sender == "agent" and is_delta(wire["type"])):
        wire["data"] = mended(wire["data"])
    return wire


def _projected(entry: LogEntry) -> Wire | None:
    payload = entry.payload
    if not isinstance(payload, dict):
        return _not_a_frame(entry)
    if entry.sender == "agent":
        return _from_agent(entry, payload)
    if "method" not in payload:
        return _decision(entry, payload)
    method = payload["method"]
    if (
        entry.sender == "server"
        and isinstance(method, str)
        and method.startswith(extensions.PREFIX)
    ):
        return _extension(entry, method, payload.get("params"))
    if isinstance(method, str) and method in operations.BEGIN_A_TURN:
        return turn_started(entry, method, payload.get("params"))
    return None


def _from_agent(entry: LogEntry, payload: Wire) -> Wire | None:
    if entry.annotations and (_is_marked(entry, "replay") or _is_marked(entry, "duplicate")):
        return None
    method = payload.get("method")
    if entry.annotations and isinstance(method, str) and is_apart(entry):
        return passed_through(entry, method, payload.get("params"))
    if method == acp.SESSION_UPDATE:
        return session_update(entry, payload.get("params"))
    if isinstance(method, str):
        return _agent_call(entry, method, payload)
    if method is None and ("error" in payload or ("result" in payload and _has_id(payload))):
        return agent_answer(entry)
    return _not_a_frame(entry)


def _agent_call(entry: LogEntry, method: str, payload: Wire) -> Wire | None:
    """A request or a notification that is no `session/update`."""
    params = payload.get("params")
    if method == acp.CANCEL_REQUEST:
        return None
    if method == acp.SESSION_REQUEST_PERMISSION and _has_id(payload):
        return permission_requested(entry, params)
    if method == acp.ELICITATION_CREATE and _has_id(payload):
        return question_requested(entry, params)
    if method == extensions.HOOK and _has_id(payload):
        return hook_requested(entry, params)
    if method == extensions.HOST_TOOL and _has_id(payload):
        return host_tool_called(entry, params)
    if _is_marked(entry, "background") and (wire := background(entry, method, params)) is not None:
        return wire
    if (
        method == extensions.MODEL_RESPONDED
        and (told := model_responded(entry, params)) is not None
    ):
        return told
    if method in extensions.FROM_ADAPTERS:
        return _extension(entry, method, params)
    return passed_through(entry, method, params)


def _extension(entry: LogEntry, method: str, params: Any) -> Wire:
    """What an entry of the server is by itself. That of a newer server is passed through."""
    if isinstance(params, dict):
        if method in _COMPLETIONS:
            return completion(entry, _COMPLETIONS[method], params)
        data = {name: value for name, value in params.items() if name != "turnId"}
        type = method.removeprefix(extensions.PREFIX)
        # The models alone know what fits them. These entries are rare, so they may cost that.
        known = parse_event(event(entry, type, data, params.get("turnId")))
        if not isinstance(known, AgentUpdate):
            return known.to_wire()
    return passed_through(entry, method, params)


def _decision(entry: LogEntry, payload: Wire) -> Wire | None:
    """An answer to the agent. Of those, only decisions are events."""
    if "result" not in payload and "error" not in payload:
        return None
    if entry.method == acp.SESSION_REQUEST_PERMISSION:
        return permission_resolved(entry)
    if entry.method == acp.ELICITATION_CREATE:
        return question_resolved(entry)
    if entry.method == extensions.HOOK:
        return hook_resolved(entry)
    if entry.method == extensions.HOST_TOOL:
        return host_tool_resolved(entry)
    return None


def _is_marked(entry: LogEntry, name: str) -> bool:
    return as_dict(entry.annotations).get(name) is True


def _has_id(payload: Wire) -> bool:
    return payload.get("id") is not None


def _not_a_frame(entry: LogEntry) -> Wire:
    data = {"text": _text(entry.payload), "reason": "not a JSON-RPC message"}
    return event(entry, "agent.unparsed", data)


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return ""
