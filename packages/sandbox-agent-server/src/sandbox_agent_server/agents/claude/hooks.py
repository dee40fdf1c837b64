"""Hooks of the session before and after tools, as callbacks of Claude's own `PreToolUse` and `PostToolUse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_int, as_text, compact

from sandbox_agent_server.agents.claude.tool_results import raw_output
from sandbox_agent_server.agents.claude.tools import tool_fields
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["AFTER", "BEFORE", "HOOKS", "hook_answer", "hook_call", "hook_params", "registrations"]

BEFORE: Final = "before_tool"
AFTER: Final = "after_tool"
HOOKS: Final = (BEFORE, AFTER)
_EVENTS: Final = {BEFORE: ("PreToolUse",), AFTER: ("PostToolUse", "PostToolUseFailure")}
_WAIT_S: Final = 7 * 86400
"""Of Claude for an answer: as long as any request of a session may wait."""


def registrations(wanted: Any) -> dict[str, Any] | None:
    """`hooks` of the handshake for `_meta.hooks` of the session; None when it has none."""
    said = as_dict(wanted)
    hooks = {
        event: [{"hookCallbackIds": [name], "timeout": _WAIT_S}]
        for name in HOOKS
        if said.get(name) is True
        for event in _EVENTS[name]
    }
    return hooks or None


def hook_call(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The call that a `hook_callback` is about, in the words of a `can_use_tool`."""
    given = as_dict(asked.get("input"))
    return {
        "tool_name": given.get("tool_name"),
        "input": given.get("tool_input"),
        "tool_use_id": asked.get("tool_use_id") or given.get("tool_use_id"),
        "agent_id": given.get("agent_id"),
    }


def hook_params(
    asked: Mapping[str, Any], *, session_id: str, cwd: str, parent: str | None = None
) -> dict[str, Any]:
    """Parameters of `frames.extensions.HOOK`; `asked` is the body of a `hook_callback`."""
    event, given, call = (
        str(asked.get("callback_id")),
        as_dict(asked.get("input")),
        hook_call(asked),
    )
    name = str(call["tool_name"] or "")
    failed = given.get("hook_event_name") == "PostToolUseFailure"
    status = "pending" if event == BEFORE else "failed" if failed else "completed"
    tool_call = {
        "toolCallId": call["tool_use_id"],
        "name": name,
        "status": status,
        **tool_fields(name, call["input"], cwd=cwd),
        "_meta": {"claudeCode": {"toolName": name}}
        | ({"parentToolCallId": parent} if parent else {}),
    }
    params = {"sessionId": session_id, "event": event, "toolCall": tool_call}
    return (
        params if event == BEFORE else params | compact(output=_output(name, given, failed=failed))
    )


def _output(name: str, given: Mapping[str, Any], *, failed: bool) -> Any:
    said = given.get("error") if failed else given.get("tool_response")
    output = raw_output(name, as_text(said) or "", None if failed else said, failed=failed)
    lasted = as_int(given.get("duration_ms"))
    return output | compact(durationMs=lasted) if isinstance(output, dict) else output


def hook_answer(asked: Mapping[str, Any], result: Mapping[str, Any] | None) -> Native:
    """The body of the control response. None, an error, is put to whoever answers permissions."""
    event = str(as_dict(asked.get("input")).get("hook_event_name"))
    said = dict(result) if result is not None else {"decision": "ask"}
    told: Native = {"hookEventName": event} | compact(
        additionalContext=as_text(said.get("context"))
    )
    if asked.get("callback_id") == BEFORE:
        decision, updated = said.get("decision"), said.get("updatedInput")
        told |= compact(
            permissionDecision=decision if decision in ("allow", "deny", "ask") else None,
            permissionDecisionReason=as_text(said.get("message")),
            # Whatever it decides, other input goes the way of the permissions, unless it is allowed by it.
            updatedInput=updated if isinstance(updated, dict) and decision != "deny" else None,
        )
    return {"hookSpecificOutput": told} if len(told) > 1 else {}
