"""Where agents reach the tools of their sessions: whoever listens for that, as far as sessions know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

__all__ = ["AnswerMcp", "ToolDoor"]

AnswerMcp = Callable[[Any], Awaitable[dict[str, Any] | None]]
"""A JSON-RPC message of MCP -> its answer; None for what wants none."""


class ToolDoor(Protocol):
    async def server(
        self, session_id: str, answer: AnswerMcp, *, timeout_s: float
    ) -> dict[str, Any]:
        """The MCP server of a session as ACP has it, with a new secret; that of before is shut.

        Raises: StorageError: nobody can listen.
        """
        ...

    def shut(self, session_id: str) -> None: ...

    async def close(self) -> None: ...
