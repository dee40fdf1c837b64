"""What Claude asks its host (`control_request`) and what the client answers: the open requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.claude.hooks import HOOKS, hook_answer, hook_call, hook_params
from sandbox_agent_server.agents.claude.native import control_failure, control_success
from sandbox_agent_server.agents.claude.permissions import permission_answer, permission_params
from sandbox_agent_server.agents.claude.questions import (
    elicitation_answer,
    elicitation_params,
    question_answer,
    question_params,
)
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Asking", "Granted"]

Kind = Literal["permission", "question", "elicitation", "hook"]


@dataclass(frozen=True, slots=True)
class _Open:
    kind: Kind
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Granted:
    """An answer for Claude, and the tool call that may run because of it."""

    reply: Native
    tool_call_id: str | None = None
    input: Mapping[str, Any] | None = None
    """What the tool gets, where that is not what Claude asked for."""
    is_running: bool = True


class Asking:
    """Requests keep Claude's own ids: they are unique strings, so they serve as JSON-RPC ids too."""

    def __init__(self, *, session_id: str, cwd: str) -> None:
        self._session_id = session_id
        self._cwd = cwd
        self._open: dict[str, _Open] = {}

    def ask(self, request_id: str, asked: dict[str, Any], *, parent: str | None) -> Frame | None:
        """The client request for what Claude asks; None when a client cannot be asked that."""
        match asked:
            case {"subtype": "can_use_tool", "tool_name": "AskUserQuestion"}:
                self._open[request_id] = _Open("question", asked)
                params = question_params(asked, session_id=self._session_id)
                return request(request_id, acp.ELICITATION_CREATE, params)
            case {"subtype": "can_use_tool"}:
                self._open[request_id] = _Open("permission", asked)
                params = permission_params(
                    asked, session_id=self._session_id, cwd=self._cwd, parent=parent
                )
                return request(request_id, acp.SESSION_REQUEST_PERMISSION, params)
            case {"subtype": "hook_callback", "callback_id": str(hook)} if hook in HOOKS:
                self._open[request_id] = _Open("hook", asked)
                params = hook_params(
                    asked, session_id=self._session_id, cwd=self._cwd, parent=parent
                )
                return request(request_id, extensions.HOOK, params)
            case {"subtype": "elicitation"}:
                self._open[request_id] = _Open("elicitation", asked)
                params = elicitation_params(asked, session_id=self._session_id)
                return request(request_id, acp.ELICITATION_CREATE, params)
            case _:
                return None

    def refuse(self, request_id: str, asked: Mapping[str, Any]) -> Native:
        """Claude would wait for ever for what nobody answers."""
        return control_failure(request_id, f"this host does not handle {asked.get('subtype')!r}")

    def withdraw(self, request_id: str) -> Frame | None:
        """Claude does not want to know any more; None when the client has answered already."""
        if self._open.pop(request_id, None) is None:
            return None
        return notification(acp.CANCEL_REQUEST, {"requestId": request_id})

    def answer(
        self, request_id: Any, result: Mapping[str, Any] | None, *, is_interrupted: bool
    ) -> Granted | None:
        """The client's answer (None: an error) for Claude. None: nobody is waiting for it any more.

        `is_interrupted`: the turn is being stopped already, so a cancelled request need not stop it.
        """
        opened = self._open.pop(request_id, None) if isinstance(request_id, str) else None
        if opened is None:
            return None
        asked, interrupt = opened.asked, not is_interrupted
        match opened.kind:
            case "permission":
                body = permission_answer(asked, result, interrupt=interrupt)
            case "question":
                body = question_answer(asked, result, interrupt=interrupt)
            case "elicitation":
                body = elicitation_answer(result)
            case "hook":
                return _after_hook(request_id, asked, hook_answer(asked, result))
        reply = control_success(request_id, body)
        tool_id = asked.get("tool_use_id")
        if body.get("behavior") == "allow" and isinstance(tool_id, str):
            given = body["updatedInput"]
            is_changed = opened.kind == "permission" and given != (asked.get("input") or {})
            return Granted(reply, tool_id, given if is_changed else None)
        return Granted(reply)


def _after_hook(request_id: str, asked: Mapping[str, Any], body: Native) -> Granted:
    told = as_dict(body.get("hookSpecificOutput"))
    changed, runs = told.get("updatedInput"), told.get("permissionDecision") == "allow"
    tool_id = as_text(hook_call(asked)["tool_use_id"]) if changed is not None or runs else None
    return Granted(control_success(request_id, body), tool_id, changed, runs)
