"""Errors in the log: of a turn, of the agent, of the server."""

from __future__ import annotations

from typing import Any, Literal

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.wire.model import WireModel

__all__ = ["ErrorReported", "Fault"]


class Fault(WireModel):
    """An error inside another event."""

    code: str
    """A code of the error tree (`docs/errors.md`) or of the agent."""
    message: str
    """For people."""
    rpc_code: int | None = None
    """The JSON-RPC code, when the agent answered with one."""
    data: Any = None
    """What the agent or the server added."""


class ErrorReported(UniversalEvent):
    """Something failed that is not the end of a turn: a refused setting, a policy that could not run."""

    type: Literal["error"] = "error"
    code: str
    """A code of the error tree (`docs/errors.md`); `agent_error` for what an agent answered."""
    message: str
    """For people."""
    retryable: bool = False
    """Trying the same again may succeed."""
    rpc_code: int | None = None
    """The JSON-RPC code, when the agent answered with one."""
    method: str | None = None
    """The request that the agent refused."""
    data: Any = None
    """What the agent or the server added."""
