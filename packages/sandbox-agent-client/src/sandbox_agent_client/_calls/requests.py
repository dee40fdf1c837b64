"""`/v1/sessions/{id}/requests`: what an agent asks a person, and what it is about."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Literal

from sandbox_agent_core.api.requests import AnswerRequest, RequestInfo, RequestList, Resolution
from sandbox_agent_core.events import ToolCallFields
from sandbox_agent_core.projection.tools import tool_fields

from sandbox_agent_client._calls.call import Call, body, built, path, query, reads

__all__ = ["answer", "command_of", "list_requests", "tool_call_of"]


def list_requests(
    session_id: str, *, status: Literal["pending", "all"] = "pending"
) -> Call[RequestList]:
    return Call(
        method="GET",
        path=path("sessions", session_id, "requests"),
        query=query(status=status),
        parse=reads(RequestList),
    )


def answer(session_id: str, request_id: str, **members: Any) -> Call[Resolution]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "requests", request_id),
        body=body(built(AnswerRequest, **members)),
        parse=reads(Resolution),
    )


def tool_call_of(info: RequestInfo) -> ToolCallFields | None:
    """The tool call as events tell it."""
    fields = tool_fields(info.tool_call or {})
    return None if fields is None else ToolCallFields.model_validate(fields)


def command_of(tool_call: ToolCallFields | None) -> str | None:
    """The command line: agents give it as text or as a list of arguments."""
    if tool_call is None or not isinstance(tool_call.input, Mapping):
        return None
    command = tool_call.input.get("command", tool_call.input.get("cmd"))
    if isinstance(command, str):
        return command
    if isinstance(command, list) and all(isinstance(part, str) for part in command):
        return shlex.join(command)
    return None
