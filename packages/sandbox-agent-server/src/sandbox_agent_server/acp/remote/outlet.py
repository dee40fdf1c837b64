"""Where the messages for one ACP client go: a WebSocket, or the streams of a Streamable HTTP connection."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

__all__ = ["Outlet"]


class Outlet(Protocol):
    async def send(self, session_id: str | None, message: bytes) -> None:
        """A JSON-RPC message, UTF-8 on one line; of a session, or of the connection. Waits for a slow reader.

        Raises: ConnectionError when the client has left.
        """
        ...

    def drain(self) -> Awaitable[None]:
        """Until most of what was sent is on its way."""
        ...

    def opened(self, session_id: str) -> None:
        """The client has just been told of this session, or asked for it: its stream may be about to come."""
        ...
