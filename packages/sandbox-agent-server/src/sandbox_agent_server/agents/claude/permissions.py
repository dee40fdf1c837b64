"""`can_use_tool` as `session/request_permission`, and the answer back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import dicts_in

from sandbox_agent_server.agents.claude.tools import tool_fields
from sandbox_agent_server.agents.native.content import text_block, wrapped
from sandbox_agent_server.agents.native.permission_replies import PermissionReply
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["permission_answer", "permission_params"]

ALLOW_ONCE: Final = "allow_once"
ALLOW_ALWAYS: Final = "allow_always"
ACCEPT_EDITS: Final = "accept_edits"
REJECT_ONCE: Final = "reject_once"

_REJECTED: Final = "The user rejected this tool use. Do not try it again unless they ask for it."
_CANCELLED: Final = "The permission request was cancelled."
_ACCEPT_EDITS_UPDATE: Final = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}


def permission_params(
    asked: Mapping[str, Any], *, session_id: str, cwd: str, parent: str | None = None
) -> dict[str, Any]:
    """Parameters of `session/request_permission`; `asked` is the body of a `can_use_tool`.

    `parent` is the tool call of the sub-agent that asks.
    """
    name = str(asked.get("tool_name") or "")
    fields = tool_fields(name, asked.get("input"), cwd=cwd)
    description = asked.get("description")
    # For file tools the description is the path once more; for a command it says what it is for.
    if "content" not in fields and "locations" not in fields and isinstance(description, str):
        fields["content"] = [wrapped(text_block(description))]
    blocked = asked.get("blocked_path")
    if isinstance(blocked, str) and blocked:
        fields.setdefault("locations", [{"path": blocked}])
    claude: dict[str, Any] = {"toolName": name}
    for key, source in (("displayName", "display_name"), ("decisionReason", "decision_reason")):
        if isinstance(asked.get(source), str):
            claude[key] = asked[source]
    call = {
        "toolCallId": asked.get("tool_use_id"),
        "name": name,
        "status": "pending",
        **fields,
        "_meta": {"claudeCode": claude} | ({"parentToolCallId": parent} if parent else {}),
    }
    return {"sessionId": session_id, "toolCall": call, "options": _options(asked)}


def permission_answer(
    asked: Mapping[str, Any], result: Mapping[str, Any] | None, *, interrupt: bool
) -> Native:
    """The body of the control response for an answer to `session/request_permission`.

    Everything that is not a known way to say yes is a no. `interrupt`: the turn may be stopped by it, when
    the request was cancelled (Claude would go on as if a person had refused), or when a refusal says so.
    """
    outcome = result.get("outcome") if result is not None else None
    chosen = outcome.get("optionId") if isinstance(outcome, Mapping) else None
    reply = PermissionReply.read(result)
    if not isinstance(outcome, Mapping) or outcome.get("outcome") != "selected":
        denied: Native = {"behavior": "deny", "message": _CANCELLED}
        return {**denied, "interrupt": True} if interrupt else denied
    if chosen not in {option["optionId"] for option in _options(asked)} or chosen == REJECT_ONCE:
        rejected: Native = {"behavior": "deny", "message": reply.message or _REJECTED}
        return {**rejected, "interrupt": True} if reply.stops and interrupt else rejected
    given = asked.get("input") if reply.updated_input is None else reply.updated_input
    answer: Native = {"behavior": "allow", "updatedInput": given or {}}
    if chosen == ALLOW_ALWAYS:
        answer["updatedPermissions"] = _lasting(asked)
    elif chosen == ACCEPT_EDITS:
        answer["updatedPermissions"] = [_ACCEPT_EDITS_UPDATE]
    return answer


def _options(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    if asked.get("tool_name") == "ExitPlanMode":
        return [
            _option(ALLOW_ONCE, "allow_once", "Approve the plan"),
            _option(ACCEPT_EDITS, "allow_always", "Approve the plan and accept all edits"),
            _option(REJECT_ONCE, "reject_once", "Keep planning"),
        ]
    options = [_option(ALLOW_ONCE, "allow_once", "Allow once")]
    if lasting := _lasting(asked):
        options.append(_option(ALLOW_ALWAYS, "allow_always", _lasting_name(lasting)))
    if lasting != [_ACCEPT_EDITS_UPDATE] and _ACCEPT_EDITS_UPDATE in _suggestions(asked):
        options.append(_option(ACCEPT_EDITS, "allow_always", "Accept all edits in this session"))
    options.append(_option(REJECT_ONCE, "reject_once", "Reject"))
    return options


def _option(option_id: str, kind: str, name: str) -> dict[str, Any]:
    return {"optionId": option_id, "name": name, "kind": kind}


def _suggestions(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        # "session", whatever Claude suggests: its "localSettings" writes
        # `.claude/settings.local.json` into the user's repository, where the rule outlives the
        # sandbox session that it was given in and ends up in somebody's commit.
        {**item, "destination": "session"}
        for item in dicts_in(asked.get("permission_suggestions"))
    ]


def _lasting(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What "always" grants: the narrowest that Claude suggests.

    For `touch x` Claude suggests a rule, a directory *and* the mode acceptEdits, which would allow
    far more than was asked. The mode counts only when it is all there is (Edit, Write).
    """
    suggestions = _suggestions(asked)
    narrow = [item for item in suggestions if item.get("type") != "setMode"]
    return narrow or suggestions


def _lasting_name(lasting: list[dict[str, Any]]) -> str:
    rules = [_rule_text(rule) for update in lasting for rule in dicts_in(update.get("rules"))]
    if rules:
        return f"Always allow {', '.join(rules)} in this session"
    modes = [update.get("mode") for update in lasting if update.get("type") == "setMode"]
    if modes == ["acceptEdits"]:
        return "Accept all edits in this session"
    if modes:
        return f"Switch to {modes[0]} for this session"
    return "Always allow in this session"


def _rule_text(rule: Mapping[str, Any]) -> str:
    content = rule.get("ruleContent")
    name = str(rule.get("toolName") or "it")
    return f"{name}({content})" if isinstance(content, str) and content else name
