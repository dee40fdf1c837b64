"""The dialogs of Pi's extensions: our gate's are permissions and hooks, all others are questions to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.lenient import as_list

from sandbox_agent_server.agents.native.grants import Grants
from sandbox_agent_server.agents.native.permission_replies import PermissionReply
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.gate import Permission, Result, allowed, gone_on, rejected
from sandbox_agent_server.agents.pi.hooks import (
    AFTER_TOOL,
    BEFORE_TOOL,
    HookAnswer,
    HookRequests,
)
from sandbox_agent_server.agents.pi.native import CANCELLED_DIALOG, dialog_answer
from sandbox_agent_server.agents.pi.tools import READ_ONLY, call_fields

__all__ = ["Asking", "Step"]

_ANSWER: Final = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What comes of a dialog, or of the answer to a request of ours."""

    reply: Native | None = None
    """For Pi."""
    asked: Frame | None = None
    """For the client."""
    running: Permission | None = None
    """The tool call that runs because of it."""
    stops_turn: bool = False
    """The turn is not to go on: Pi by itself would, as after a refusal."""


@dataclass(frozen=True, slots=True)
class _Open:
    dialog: Native
    about: Permission | Result | None
    is_hook: bool = False


class Asking:
    """Requests keep the ids of Pi's dialogs, which are unique strings; hooks have one made of it."""

    def __init__(self, *, session_id: str, cwd: str, hooks: frozenset[str] = frozenset()) -> None:
        self.grants = Grants()
        self._session_id = session_id
        self._cwd = cwd
        self._hooks = hooks
        self._hook_requests = HookRequests(session_id=session_id, cwd=cwd)
        self._open: dict[str, _Open] = {}
        self._contexts: dict[str, str] = {}
        """What a hook before a call has said for the model: it goes behind the call's result."""

    def dialog(self, dialog: Native) -> Step:
        dialog_id = str(dialog["id"])
        if (result := Result.read(dialog)) is not None:
            return self._result(dialog, result)
        permission = Permission.read(dialog)
        if permission is None:
            self._open[dialog_id] = _Open(dialog, None)
            params = self._question_params(dialog)
            return Step(asked=request(dialog_id, acp.ELICITATION_CREATE, params))
        if BEFORE_TOOL in self._hooks:
            id = f"{dialog_id}/before"
            self._open[id] = _Open(dialog, permission, is_hook=True)
            return Step(asked=self._hook_requests.before(id, permission))
        return self._permission(dialog, permission)

    def answer(self, id: Any, result: Mapping[str, Any] | None) -> Step | None:
        """The client's answer (None: an error). None: nobody waits for it any more."""
        opened = self._open.pop(id, None) if isinstance(id, str) else None
        match opened:
            case None:
                return None
            case _Open(dialog, Result() as about):
                context = HookAnswer.read(result or {}).context
                return self._go_on(dialog, about, context)
            case _Open(dialog, Permission() as about, is_hook=True):
                return self._hooked(dialog, about, HookAnswer.read(result))
            case _Open(dialog, Permission() as about):
                return self._decided(dialog, about, result)
            case _Open(dialog):
                return Step(reply=dialog_answer(dialog["id"], _question_answer(dialog, result)))

    def _permission(self, dialog: Native, permission: Permission) -> Step:
        if permission.tool_name in READ_ONLY or self.grants.covers(permission.scope):
            return self._allow(dialog, permission)
        dialog_id = str(dialog["id"])
        self._open[dialog_id] = _Open(dialog, permission)
        params = self._permission_params(permission)
        return Step(asked=request(dialog_id, acp.SESSION_REQUEST_PERMISSION, params))

    def _allow(self, dialog: Native, permission: Permission) -> Step:
        return Step(reply=dialog_answer(dialog["id"], allowed(permission)), running=permission)

    def _decided(
        self, dialog: Native, permission: Permission, result: Mapping[str, Any] | None
    ) -> Step:
        said = PermissionReply.read(result)
        match self.grants.read_answer(permission.scope, result):
            case "allow":
                if said.updated_input is not None:
                    permission = permission.with_input(said.updated_input)
                return self._allow(dialog, permission)
            case "reject":
                reply = dialog_answer(dialog["id"], rejected(said.message))
                return Step(reply=reply, stops_turn=said.stops)
            case "cancel":
                return Step(reply=dialog_answer(dialog["id"], CANCELLED_DIALOG), stops_turn=True)

    def _hooked(self, dialog: Native, permission: Permission, said: HookAnswer) -> Step:
        if said.context is not None:
            self._contexts[permission.tool_call_id] = said.context
        if said.decision == "deny":
            return Step(reply=dialog_answer(dialog["id"], rejected(said.message)))
        if said.updated_input is not None:
            permission = permission.with_input(said.updated_input)
        # What a mode forbids no hook allows.
        if said.decision == "allow" and not self.grants.is_read_only:
            return self._allow(dialog, permission)
        return self._permission(dialog, permission)

    def _result(self, dialog: Native, result: Result) -> Step:
        if AFTER_TOOL not in self._hooks:
            return self._go_on(dialog, result, None)
        id = f"{dialog['id']}/after"
        self._open[id] = _Open(dialog, result, is_hook=True)
        return Step(asked=self._hook_requests.after(id, result))

    def _go_on(self, dialog: Native, result: Result, context: str | None) -> Step:
        before = self._contexts.pop(result.tool_call_id, None)
        words = "\n".join(filter(None, (before, context))) or None
        return Step(reply=dialog_answer(dialog["id"], gone_on(words)))

    def withdraw(self, tool_call_id: str) -> list[Frame]:
        """The call has ended without an answer."""
        self._contexts.pop(tool_call_id, None)
        about = [
            id
            for id, opened in self._open.items()
            if opened.about is not None and opened.about.tool_call_id == tool_call_id
        ]
        for id in about:
            del self._open[id]
        return [_withdrawn(id) for id in about]

    def cancel_all(self) -> tuple[list[Frame], list[Native]]:
        """Close every dialog; Pi versions that are aborted while one is open wait for it for ever."""
        opened, self._open = self._open, {}
        replies = [dialog_answer(one.dialog["id"], CANCELLED_DIALOG) for one in opened.values()]
        return [_withdrawn(id) for id in opened], replies

    def _permission_params(self, permission: Permission) -> dict[str, Any]:
        call = {
            "toolCallId": permission.tool_call_id,
            "name": permission.tool_name,
            "status": "pending",
            **call_fields(
                permission.tool_name,
                permission.input,
                cwd=self._cwd,
                overwritten=permission.overwritten,
            ),
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
