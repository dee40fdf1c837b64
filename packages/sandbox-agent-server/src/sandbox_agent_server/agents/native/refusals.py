"""What a handler or a reader of parameters raises, and the client is answered with."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR

from sandbox_agent_server.agents.refusals import InvalidParams, Refused

__all__ = ["AgentEnded", "AgentRefused", "InvalidParams", "Refused"]


class AgentRefused(Refused):
    """The agent answered a question with an error."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(INTERNAL_ERROR, message, data)


class AgentEnded(Exception):
    """The agent ended before it answered a question. Uncaught, its end is the answer to the client."""
