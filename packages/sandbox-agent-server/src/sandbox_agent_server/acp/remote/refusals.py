"""Errors of ours as JSON-RPC errors that an ACP client understands."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    SandboxAgentError,
)
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
)

__all__ = ["RpcError", "rpc_error"]

_CODES: Final[tuple[tuple[type[SandboxAgentError], int], ...]] = (
    (AgentAuthRequired, AUTH_REQUIRED),
    (NotFound, RESOURCE_NOT_FOUND),
    (InvalidRequest, INVALID_PARAMS),
    (PermissionDenied, INVALID_REQUEST),
)


class RpcError(Exception):
    """Is the answer to a request."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data

    @classmethod
    def no_method(cls, method: str) -> RpcError:
        shown = method[:128]
        return cls(METHOD_NOT_FOUND, f"Method not found: {shown}", {"method": shown})


def rpc_error(error: SandboxAgentError | RpcError) -> dict[str, Any]:
    """`data` has our `code` and the details; an agent's own error goes as the agent said it."""
    if isinstance(error, RpcError):
        return error.error
    details = {name: value for name, value in error.details.items() if value is not None}
    code = next((code for kind, code in _CODES if isinstance(error, kind)), INTERNAL_ERROR)
    if isinstance(error, AgentError) and isinstance(details.get("agentCode"), int):
        code = details.pop("agentCode")
    return {"code": code, "message": error.message, "data": {"code": error.code, **details}}
