"""What a handler or a reader of parameters raises, and the client is answered with."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS

__all__ = ["AgentEnded", "AgentRefused", "InvalidParams", "Refused"]


class Refused(Exception):
    """The request that is being handled is answered with this JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class InvalidParams(Refused):
    """The parameters are not what ACP says, or not what the agent can do."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_PARAMS, message)


class AgentRefused(Refused):
    """The agent answered a question with an error."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(INTERNAL_ERROR, message, data)


class AgentEnded(Exception):
    """The agent ended before it answered a question. Uncaught, its end is the answer to the client."""
