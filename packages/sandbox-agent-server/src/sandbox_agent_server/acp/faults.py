"""Errors of ours in the words of JSON-RPC: an ACP client is told of everything that way."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import (
    AgentAuthRequired,
    InvalidRequest,
    ModeNotSupported,
    OperationNotSupported,
    SandboxAgentError,
    SessionNotFound,
    ValueNotSupported,
)
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
    error_response,
)

from sandbox_agent_server.jsonio import dumps

__all__ = ["Refused", "fault_frame"]

_CODES: Final[tuple[tuple[type[SandboxAgentError], int], ...]] = (
    (AgentAuthRequired, AUTH_REQUIRED),
    (SessionNotFound, RESOURCE_NOT_FOUND),
    (OperationNotSupported, METHOD_NOT_FOUND),
    (InvalidRequest, INVALID_PARAMS),
    (ModeNotSupported, INVALID_PARAMS),
    (ValueNotSupported, INVALID_PARAMS),
)


class Refused(Exception):
    """A frame of the client that is nothing for the agent. `answer` is one line of JSON, and is not among the
    messages: under its id another request may still be answered."""

    def __init__(self, id: Any, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = dumps(error_response(id, code, message))


def fault_frame(id: Any, error: SandboxAgentError) -> Frame:
    """The answer to a request that failed with `error`; what an agent said itself stays as it said it."""
    if isinstance(code := error.details.get("agentCode"), int):
        return error_response(id, code, error.message, error.details.get("data"))
    code = next((code for kind, code in _CODES if isinstance(error, kind)), INTERNAL_ERROR)
    return error_response(id, code, error.message, {"code": error.code, **error.details})
