"""The dialogs of Pi's extensions: our gate's are permissions, all others are questions to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.lenient import as_dict, as_list

from sandbox_agent_server.agents.native.grants import Grants, Scope
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.native import CANCELLED_DIALOG, dialog_answer
from sandbox_agent_server.agents.pi.tools import READ_ONLY, call_fields

__all__ = ["Answered", "Asking", "Permission"]

# What `extensions/permission_gate.ts` says and understands.
_MARKER: Final = '{"sandboxAgent":"permission"'
_ALLOW: Final = {"value": "allow"}
_REJECT: Final = {"value": "reject"}

_ANSWER: Final = "answer"
_EDITS: Final = frozenset({"edit", "write"})


@dataclass(frozen=True, slots=True)
class Permission:
    """What the gate asks."""

    tool_call_id: str
    tool_name: str
    input: Any

    @classmethod
    def read(cls, dialog: Mapping[str, Any]) -> Permission | None:
        title = dialog.get("title")
        if not isinstance(title, str) or not title.startswith(_MARKER):
            return None
        try:
            asked = json.loads(title)
            return cls(str(asked["toolCallId"]), str(asked["toolName"]), asked.get("input"))
        except (KeyError, ValueError):
            return None

    @property
    def scope(self) -> Scope:
        if self.tool_name in _EDITS:
            return Scope("edits")
        command = as_dict(self.input).get("command")
        if self.tool_name == "bash" and isinstance(command, str):
            return Scope("command", command)
        return Scope("tool", self.tool_name)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer for Pi, and what follows from it."""

    reply: Native
    running: str | None = None
    """The tool call that runs because of it."""
    stops_turn: bool = False
    """The request was given up, not refused: Pi by itself would go on as if it had been refused."""


class Asking:
    """Requests keep the ids of Pi's dialogs: they are unique strings."""

    def __init__(self, *, session_id: str, cwd: str) -> None:
        self.grants = Grants()
        self._session_id = session_id
        self._cwd = cwd
        self._open: dict[str, tuple[Native, Permission | None]] = {}

    def granted(self, dialog: Native) -> Answered | None:
        """The answer to what nobody needs to be asked."""
        permission = Permission.read(dialog)
        if permission is None:
            return None
        if permission.tool_name in READ_ONLY or self.grants.covers(permission.scope):
            return Answered(dialog_answer(dialog["id"], _ALLOW), permission.tool_call_id)
        return None

    def ask(self, dialog: Native) -> Frame:
        dialog_id, permission = str(dialog["id"]), Permission.read(dialog)
        self._open[dialog_id] = dialog, permission
        if permission is not None:
            params = self._permission_params(permission)
            return request(dialog_id, acp.SESSION_REQUEST_PERMISSION, params)
        return request(dialog_id, acp.ELICITATION_CREATE, self._question_params(dialog))

    def answer(self, dialog_id: Any, result: Mapping[str, Any] | None) -> Answered | None:
        """The client's answer (None: an error) for Pi. None: nobody waits for it any more."""
        opened = self._open.pop(dialog_id, None) if isinstance(dialog_id, str) else None
        if opened is None:
            return None
        dialog, permission = opened
        if permission is None:
            return Answered(dialog_answer(dialog_id, _question_answer(dialog, result)))
        match self.grants.read_answer(permission.scope, result):
            case "allow":
                return Answered(dialog_answer(dialog_id, _ALLOW), permission.tool_call_id)
            case "reject":
                return Answered(dialog_answer(dialog_id, _REJECT))
            case "cancel":
                return Answered(dialog_answer(dialog_id, CANCELLED_DIALOG), stops_turn=True)

    def withdraw(self, tool_call_id: str) -> list[Frame]:
        """The call has ended without an answer."""
        return [
            _withdrawn(dialog_id)
            for dialog_id, (_, permission) in list(self._open.items())
            if permission is not None
            and permission.tool_call_id == tool_call_id
            and self._open.pop(dialog_id)
        ]

    def cancel_all(self) -> tuple[list[Frame], list[Native]]:
        """Close every dialog; Pi versions that are aborted while one is open wait for it for ever."""
        dialogs = list(self._open)
        self._open.clear()
        replies = [dialog_answer(dialog_id, CANCELLED_DIALOG) for dialog_id in dialogs]
        return [_withdrawn(dialog_id) for dialog_id in dialogs], replies

    def _permission_params(self, permission: Permission) -> dict[str, Any]:
        call = {
            "toolCallId": permission.tool_call_id,
            "name": permission.tool_name,
            "status": "pending",
            **call_fields(permission.tool_name, permission.input, cwd=self._cwd),
        }
        options = self.grants.options(permission.scope)
        return {"sessionId": self._session_id, "toolCall": call, "options": options}

    def _question_params(self, dialog: Native) -> dict[str, Any]:
        message = "\n".join(
            text
            for key in ("title", "message")
            if isinstance(text := dialog.get(key), str) and text
        )
        question = {"id": _ANSWER, "question": message, "options": _labels(dialog)}
        return {
            "sessionId": self._session_id,
            "mode": "form",
            "message": message,
            "requestedSchema": {
                "type": "object",
                "properties": {_ANSWER: _property(dialog, message)},
                "required": [_ANSWER],
            },
            "_meta": {"questions": [question], "pi": {"method": dialog.get("method")}},
        }


def _withdrawn(dialog_id: str) -> Frame:
    return notification(acp.CANCEL_REQUEST, {"requestId": dialog_id})


def _labels(dialog: Native) -> list[dict[str, Any]]:
    if dialog.get("method") == "confirm":
        return [{"label": "Yes"}, {"label": "No"}]
    return [{"label": str(item)} for item in as_list(dialog.get("options"))]


def _property(dialog: Native, message: str) -> dict[str, Any]:
    property: dict[str, Any] = {"type": "string", "description": message}
    if labels := _labels(dialog):
        property["enum"] = [item["label"] for item in labels]
    if isinstance(dialog.get("prefill"), str):
        property["default"] = dialog["prefill"]
    if isinstance(dialog.get("placeholder"), str):
        property["title"] = dialog["placeholder"]
    return property


def _question_answer(dialog: Native, result: Mapping[str, Any] | None) -> Native:
    action = result.get("action") if result is not None else None
    content = result.get("content") if result is not None else None
    answer = content.get(_ANSWER) if isinstance(content, Mapping) else None
    if dialog.get("method") == "confirm":
        if action == "accept":
            return {"confirmed": answer is True or answer == "Yes"}
        return {"confirmed": False} if action == "decline" else dict(CANCELLED_DIALOG)
    if action != "accept" or answer is None:
        return dict(CANCELLED_DIALOG)
    return {"value": answer if isinstance(answer, str) else str(answer)}
