"""Codex's approvals as `session/request_permission`, and the answers back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.codex.items import bare_command
from sandbox_agent_server.agents.native.content import text_block, wrapped
from sandbox_agent_server.agents.native.translator import Native

__all__ = [
    "command_params",
    "decision_of",
    "file_change_params",
    "grant_of",
    "grant_params",
    "is_allowed",
    "is_cancelled",
    "mcp_approval_of",
    "mcp_approval_params",
    "note_lost",
]

ALLOW_ONCE: Final = "allow_once"
ALLOW_ALWAYS: Final = "allow_always"
REJECT_ONCE: Final = "reject_once"

# Not `acceptWithExecpolicyAmendment`, which Codex offers instead of the second: it writes a rule that
# outlives the session that it was given in.
_DECISIONS: Final = {
    ALLOW_ONCE: "accept",
    ALLOW_ALWAYS: "acceptForSession",
    REJECT_ONCE: "decline",
}
_NOTHING: Final[Native] = {"permissions": {}, "scope": "turn"}


def command_params(asked: Native, tool: dict[str, Any]) -> dict[str, Any]:
    """`tool` is what was told of the call; the request itself may know its command better."""
    call = _call(tool, asked, "execute", "Run a command")
    if (command := as_text(asked.get("command"))) is not None:
        bare = bare_command(command)
        known = as_dict(call.get("rawInput"))
        call["rawInput"] = {**known, "command": bare}
        if asked.get("cwd"):
            call["rawInput"]["cwd"] = asked["cwd"]
        if "title" not in tool:
            call["title"] = bare
    network = as_dict(asked.get("networkApprovalContext"))
    if host := as_text(network.get("host")):
        address = f"{network.get('protocol') or 'network'}://{host}"
        call["content"] = [wrapped(text_block(f"Network access to {address}"))]
    if asked.get("kind") == "writeStdin":
        call["content"] = [wrapped(text_block("Write to the terminal of a running command"))]
    return {"toolCall": call, "options": _options("Allow this command for the session")}


def file_change_params(asked: Native, tool: dict[str, Any]) -> dict[str, Any]:
    call = _call(tool, asked, "edit", "Edit files")
    if root := as_text(asked.get("grantRoot")):
        call["_meta"] = {**as_dict(call.get("_meta")), "codex": {"grantRoot": root}}
    return {"toolCall": call, "options": _options("Allow changes of these files for the session")}


def grant_params(asked: Native, tool: dict[str, Any]) -> dict[str, Any]:
    """The model asks to leave its sandbox, for the turn or the session."""
    # A kind that is denied where only reading is allowed: more rights are a way out of that.
    call = _call(tool, asked, "switch_mode", "More permissions")
    call["rawInput"] = {"permissions": as_dict(asked.get("permissions")), "cwd": asked.get("cwd")}
    return {"toolCall": call, "options": _options("Grant them for the session")}


def mcp_approval_params(asked: Native, tool: dict[str, Any]) -> dict[str, Any]:
    """Codex asks for a tool of an MCP server as if that server elicited something."""
    meta = as_dict(asked.get("_meta"))
    name = f"{asked.get('serverName')}: {meta.get('tool_name')}"
    call = {"rawInput": as_dict(meta.get("tool_params")), **_call(tool, asked, "other", name)}
    message = as_text(asked.get("message"))
    if message is not None and "content" not in call:
        call["content"] = [wrapped(text_block(message))]
    persist = meta.get("persist")
    lasts = isinstance(persist, list) and "session" in persist
    return {
        "toolCall": call,
        "options": _options("Allow this tool for the session" if lasts else None),
    }


def is_allowed(result: Mapping[str, Any] | None) -> bool:
    return _chosen(result) in (ALLOW_ONCE, ALLOW_ALWAYS)


def note_lost(why: str) -> dict[str, Any]:
    """What `extensions.ERROR` says of a message that Codex did not take."""
    message = f"Codex was given the answer, but not the message that came with it: {why}"
    return {"code": "agent_error", "message": message, "retryable": False}


def is_cancelled(result: Mapping[str, Any] | None) -> bool:
    return _chosen(result) is None


def decision_of(result: Mapping[str, Any] | None) -> str:
    """Everything that is not a known way to say yes is a no; no answer at all stops the turn."""
    chosen = _chosen(result)
    return "cancel" if chosen is None else _DECISIONS.get(chosen, "decline")


def grant_of(asked: Native, result: Mapping[str, Any] | None) -> Native:
    if not is_allowed(result):
        return _NOTHING
    wanted = as_dict(asked.get("permissions"))
    granted = {key: value for key, value in wanted.items() if value is not None}
    scope = "session" if _chosen(result) == ALLOW_ALWAYS else "turn"
    return {"permissions": granted, "scope": scope}


def mcp_approval_of(result: Mapping[str, Any] | None) -> Native:
    if not is_allowed(result):
        action = "cancel" if is_cancelled(result) else "decline"
        return {"action": action, "content": None, "_meta": None}
    lasting = {"persist": "session"} if _chosen(result) == ALLOW_ALWAYS else None
    return {"action": "accept", "content": {}, "_meta": lasting}


def _chosen(result: Mapping[str, Any] | None) -> str | None:
    """None: cancelled."""
    outcome = as_dict(result.get("outcome")) if result is not None else {}
    if outcome.get("outcome") != "selected":
        return None
    return str(outcome.get("optionId"))


def _call(tool: dict[str, Any], asked: Native, kind: str, title: str) -> dict[str, Any]:
    call = {"title": title, "kind": kind, **tool, "status": "pending"}
    if (reason := as_text(asked.get("reason"))) is not None:
        call["content"] = [*call.get("content", []), wrapped(text_block(reason))]
    return call


def _options(always: str | None) -> list[dict[str, Any]]:
    options = [{"optionId": ALLOW_ONCE, "name": "Allow once", "kind": "allow_once"}]
    if always is not None:
        options.append({"optionId": ALLOW_ALWAYS, "name": always, "kind": "allow_always"})
    options.append({"optionId": REJECT_ONCE, "name": "Reject", "kind": "reject_once"})
    return options
