"""Errors of JSON-RPC as ours."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.errors import AgentAuthRequired, AgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED

__all__ = ["error_of", "result_of"]


def result_of(frame: Frame) -> Any:
    """Of a response. Raises: AgentError, AgentAuthRequired when it is an error."""
    if "error" in frame:
        raise error_of(frame)
    return frame.get("result")


def error_of(frame: Frame) -> AgentError | AgentAuthRequired:
    """The agent's code and data ride in the details."""
    error = frame.get("error")
    error = error if isinstance(error, dict) else {"message": repr(error)}
    kind = AgentAuthRequired if error.get("code") == AUTH_REQUIRED else AgentError
    return kind(
        str(error.get("message") or "the agent answered with an error"),
        agentCode=error.get("code"),
        data=error.get("data"),
    )
