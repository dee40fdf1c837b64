"""What Codex asks its host and what the client answers: the open requests.

They keep Codex's own ids, which count from 0: they are another id space than the client's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import METHOD_NOT_FOUND, notification, request
from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.agents.codex.permissions import (
    command_params,
    decision_of,
    file_change_params,
    grant_of,
    grant_params,
    is_cancelled,
    mcp_approval_of,
    mcp_approval_params,
)
from sandbox_agent_server.agents.codex.questions import (
    elicitation_answer,
    elicitation_params,
    question_answer,
    question_params,
)
from sandbox_agent_server.agents.native.permission_replies import PermissionReply
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Answer", "Asked", "Asking", "ToolLookup"]

ToolLookup = Callable[[Native], dict[str, Any]]
"""What was told so far of the tool call that a request is about; always with a `toolCallId`."""

_APPROVALS: Final = {
    "item/commandExecution/requestApproval": command_params,
    "item/fileChange/requestApproval": file_change_params,
    "item/permissions/requestApproval": grant_params,
}
_MCP: Final = "mcpServer/elicitation/request"
_QUESTION: Final = "item/tool/requestUserInput"
_FORMS: Final = frozenset({"form", "url"})


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    params: Native
    is_approval: bool
    """Of an MCP tool call, which Codex asks for as if the server had asked a question."""


@dataclass(frozen=True, slots=True)
class Answer:
    reply: Native
    interrupts: bool
    """The turn has to be stopped, too: Codex would go on as if a person had refused."""


class Asking:
    def __init__(self, *, session_id: str, tool_of: ToolLookup) -> None:
        self._session_id = session_id
        self._tool_of = tool_of
        self._open: dict[RequestId, Asked] = {}

    def ask(self, message: Native) -> Frame | None:
        """The client request for what Codex asks; None when a client cannot be asked that."""
        id, method = message["id"], str(message.get("method"))
        params = as_dict(message.get("params"))
        if (describe := _APPROVALS.get(method)) is not None:
            told = describe(params, self._tool_of(params))
            return self._ask(id, Asked(method, params, True), acp.SESSION_REQUEST_PERMISSION, told)
        if method == _QUESTION:
            told = question_params(params)
            return self._ask(id, Asked(method, params, False), acp.ELICITATION_CREATE, told)
        if method == _MCP and _approves_a_tool(params):
            told = mcp_approval_params(params, self._tool_of(params))
            return self._ask(id, Asked(method, params, True), acp.SESSION_REQUEST_PERMISSION, told)
        if method == _MCP and params.get("mode") in _FORMS:
            told = elicitation_params(params)
            return self._ask(id, Asked(method, params, False), acp.ELICITATION_CREATE, told)
        return None

    def refuse(self, message: Native) -> Native:
        """Codex would wait for ever for what nobody answers."""
        id, method = message["id"], message.get("method")
        if method == _MCP:
            return _success(id, elicitation_answer(None))
        error = f"this host does not handle {method!r}"
        return {"id": id, "error": {"code": METHOD_NOT_FOUND, "message": error}}

    def turn_of(self, id: Any) -> Native | None:
        """Where what is said now to a turn that waits for an approval would go."""
        asked = self._open.get(id) if isinstance(id, (str, int)) else None
        if asked is None or not asked.is_approval:
            return None
        thread_id, turn_id = asked.params.get("threadId"), asked.params.get("turnId")
        return {"threadId": thread_id, "expectedTurnId": turn_id} if turn_id is not None else None

    def withdraw(self, id: Any) -> Frame | None:
        """Codex has its answer, or needs none any more; None when the client has answered."""
        if not isinstance(id, (str, int)) or self._open.pop(id, None) is None:
            return None
        return notification(acp.CANCEL_REQUEST, {"requestId": id})

    def answer(self, id: Any, result: Mapping[str, Any] | None) -> tuple[Asked, Answer] | None:
        """The client's answer (None: an error) for Codex. None: nobody waits for it any more."""
        asked = self._open.pop(id, None) if isinstance(id, (str, int)) else None
        if asked is None:
            return None
        if asked.is_approval and PermissionReply.read(result).stops:
            result = None  # As when nobody answers.
        body, interrupts = _answer(asked, result)
        return asked, Answer(_success(id, body), interrupts=interrupts)

    def _ask(self, id: RequestId, asked: Asked, method: str, params: dict[str, Any]) -> Frame:
        self._open[id] = asked
        return request(id, method, {"sessionId": self._session_id, **params})


def _answer(asked: Asked, result: Mapping[str, Any] | None) -> tuple[Native, bool]:
    """The body, and whether the turn has to be stopped beside it."""
    match asked.method, asked.is_approval:
        case "item/tool/requestUserInput", _:
            return question_answer(asked.params, result)
        case "mcpServer/elicitation/request", True:
            return mcp_approval_of(result), is_cancelled(result)
        case "mcpServer/elicitation/request", False:
            return elicitation_answer(result), False
        case "item/permissions/requestApproval", _:
            return grant_of(asked.params, result), is_cancelled(result)
        case _:
            return {"decision": decision_of(result)}, False


def _success(id: RequestId, result: Native) -> Native:
    return {"id": id, "result": result}


def _approves_a_tool(params: Native) -> bool:
    return as_dict(params.get("_meta")).get("codex_approval_kind") == "mcp_tool_call"
