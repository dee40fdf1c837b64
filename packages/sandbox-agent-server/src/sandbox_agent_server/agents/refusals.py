"""What a handler of a client's request, or a reader of its parameters, raises: the client is answered with it."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.jsonrpc import INVALID_PARAMS

__all__ = ["InvalidParams", "Refused"]


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
