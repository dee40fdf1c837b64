"""What our gate in Pi (`extensions/permission_gate.ts`) asks in its dialogs, and the answers that it understands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_str, compact

from sandbox_agent_server.agents.native.grants import Scope
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.tools import Overwritten

__all__ = ["Permission", "Result", "allowed", "gone_on", "rejected"]

_PERMISSION: Final = '{"sandboxAgent":"permission"'
_RESULT: Final = '{"sandboxAgent":"result"'
_EDITS: Final = frozenset({"edit", "write"})


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a call may run."""

    tool_call_id: str
    tool_name: str
    input: Any
    overwritten: Overwritten = field(default_factory=Overwritten)
    is_changed: bool = False
    """The input is another one than the model's."""

    @classmethod
    def read(cls, dialog: Mapping[str, Any]) -> Permission | None:
        asked = _read(dialog, _PERMISSION)
        if asked is None:
            return None
        overwritten = Overwritten(as_str(asked.get("overwritten")))
        return cls(asked["toolCallId"], asked["toolName"], asked.get("input"), overwritten)

    def with_input(self, given: dict[str, Any]) -> Permission:
        return replace(self, input=given, is_changed=True)

    @property
    def scope(self) -> Scope:
        if self.tool_name in _EDITS:
            return Scope("edits")
        command = as_dict(self.input).get("command")
        if self.tool_name == "bash" and isinstance(command, str):
            return Scope("command", command)
        return Scope("tool", self.tool_name)


@dataclass(frozen=True, slots=True)
class Result:
    """Of a call that ran, before the model gets it."""

    tool_call_id: str
    tool_name: str
    input: Any
    text: str
    is_error: bool

    @classmethod
    def read(cls, dialog: Mapping[str, Any]) -> Result | None:
        asked = _read(dialog, _RESULT)
        if asked is None:
            return None
        text, is_error = as_str(asked.get("text")) or "", asked.get("isError") is True
        return cls(asked["toolCallId"], asked["toolName"], asked.get("input"), text, is_error)


def allowed(permission: Permission) -> Native:
    return _said(input=permission.input) if permission.is_changed else {"value": "allow"}


def rejected(message: str | None) -> Native:
    """`message`: for the model, instead of the gate's own."""
    return {"value": "reject"} if message is None else _said(message=message)


def gone_on(context: str | None) -> Native:
    """`context`: for the model, behind the result."""
    return {"value": "go on"} if context is None else _said(context=context)


def _said(**words: Any) -> Native:
    return {"value": json.dumps(compact(**words))}


def _read(dialog: Mapping[str, Any], marker: str) -> dict[str, Any] | None:
    title = dialog.get("title")
    if not isinstance(title, str) or not title.startswith(marker):
        return None
    try:
        asked = as_dict(json.loads(title))
        return {**asked, "toolCallId": str(asked["toolCallId"]), "toolName": str(asked["toolName"])}
    except (KeyError, ValueError):
        return None
