"""ACP over a WebSocket: a text message for each JSON-RPC message, both ways."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import PARSE_ERROR, error_response
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox_agent_server.acp.remote.client import RemoteClient
from sandbox_agent_server.http.acp_connections import CONNECTION_ID, AcpConnections
from sandbox_agent_server.http.body import parse_json
from sandbox_agent_server.http.outgoing import GOING_AWAY, Outgoing
from sandbox_agent_server.http.presented_token import WEBSOCKET_PROTOCOL
from sandbox_agent_server.http.stream import PIECE_BYTES, drain_of
from sandbox_agent_server.jsonio import dumps

__all__ = ["serve_acp"]

_PROTOCOL_ERROR: Final = 1002


async def serve_acp(websocket: WebSocket, connections: AcpConnections, connection_id: str) -> None:
    """Until the client leaves or the server stops."""
    offered = websocket.scope.get("subprotocols", ())
    connection = _Connection(websocket, connections)
    try:
        # An OSError: it left while it was accepted.
        with suppress(WebSocketDisconnect, OSError):
            await websocket.accept(
                WEBSOCKET_PROTOCOL if WEBSOCKET_PROTOCOL in offered else None,
                headers=[(CONNECTION_ID.lower().encode(), connection_id.encode())],
            )
            with connections.hold(connection.leave):
                await connection.read()
    finally:
        await connection.close()


class _Connection:
    """An `Outlet`."""

    def __init__(self, websocket: WebSocket, connections: AcpConnections) -> None:
        self._websocket = websocket
        self._connections = connections
        self._outgoing = Outgoing(websocket)
        self._client: RemoteClient | None = None
        self._drain = drain_of(websocket.scope)

    async def read(self) -> None:
        """What the client sends. Raises: WebSocketDisconnect, OSError."""
        while (received := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = received.get("text")
            if text is None:
                continue  # ACP has no binary messages
            try:
                frame = parse_json(text, self._connections.limits)
            except SandboxAgentError as exc:
                await self._reply(error_response(None, PARSE_ERROR, exc.message))
                continue
            if self._client is not None:
                self._client.receive(frame)
                await self._client.room()
            elif not _is_hello(frame):
                await self._websocket.close(
                    _PROTOCOL_ERROR, "the first message has to be `initialize`"
                )
                return
            else:
                self._client, answer = await self._connections.welcome(frame, self, self._websocket)
                await self._reply(answer)

    async def leave(self) -> None:
        """The server stops."""
        with suppress(WebSocketDisconnect, OSError, RuntimeError):  # it has left just now
            await self._websocket.close(GOING_AWAY, "the server is stopping")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    # Outlet

    async def send(self, session_id: str | None, message: bytes) -> None:
        try:
            await self._outgoing.send(message if len(message) > PIECE_BYTES else message.decode())
        except (WebSocketDisconnect, OSError) as exc:
            raise ConnectionError("the client has left") from exc

    def drain(self) -> Awaitable[None]:
        return self._drain()

    def opened(self, session_id: str) -> None:
        """There is one stream for all."""

    async def _reply(self, answer: dict[str, Any]) -> None:
        await self._outgoing.send(dumps(answer).decode())


def _is_hello(frame: Any) -> bool:
    return (
        isinstance(frame, dict)
        and frame.get("method") == acp.INITIALIZE
        and frame.get("id") is not None
    )
