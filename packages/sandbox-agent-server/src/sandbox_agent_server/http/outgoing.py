"""What goes to a WebSocket, by several ways at once."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sandbox_agent_server.http.stream import SEND_IN_PIECES
from sandbox_agent_server.jsonio import dumps

__all__ = ["GOING_AWAY", "Outgoing"]

GOING_AWAY: Final = 1001


class Outgoing:
    """Events and replies go their own ways to one socket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._send_in_pieces = websocket.scope.get(SEND_IN_PIECES)
        self._in_pieces = asyncio.Lock()

    async def reply(self, reply: dict[str, Any]) -> None:
        await self.send(dumps(reply).decode())

    async def send(self, message: str | bytes) -> None:
        """Raises: WebSocketDisconnect, also when the other way found the end; OSError."""
        if isinstance(message, bytes) or self._in_pieces.locked():
            async with self._in_pieces:
                await self._send(message)
        else:
            await self._send(message)

    async def _send(self, message: str | bytes) -> None:
        if self._websocket.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnect(GOING_AWAY)
        if isinstance(message, str):
            await self._websocket.send_text(message)
        elif self._send_in_pieces is not None:
            await self._send_in_pieces(message)
        else:
            await self._websocket.send_text(message.decode())
