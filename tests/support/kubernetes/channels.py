"""The sub-protocols of exec and port-forward over WebSocket: the first byte of a message is its channel."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import WSMsgType, web

from support.kubernetes.refusals import Refusal

__all__ = ["STDERR", "STDIN", "STDOUT", "Channels"]

STDIN, STDOUT, STDERR, STATUS = range(4)
_CLOSE = 255


class Channels:
    """An open WebSocket of `v5.channel.k8s.io` or `v4.channel.k8s.io`. Only in v5 one can close a channel."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self._has_close = websocket.ws_protocol == "v5.channel.k8s.io"

    @classmethod
    async def open(cls, request: web.Request, *, protocols: tuple[str, ...]) -> Channels:
        """Raises: Refusal: 400, the request is no handshake for any of these."""
        return cls(await upgrade(request, protocols=protocols))

    async def send(self, channel: int, data: bytes) -> None:
        await self._websocket.send_bytes(bytes([channel]) + data)

    async def send_status(self, status: dict[str, Any]) -> None:
        await self.send(STATUS, json.dumps({"metadata": {}, **status}).encode())

    async def receive(self) -> tuple[int, bytes | None] | None:
        """The next message with data, or with None where a channel is closed; None when the client has gone."""
        while True:
            message = await self._websocket.receive()
            match message.type:
                case WSMsgType.BINARY:
                    data = message.data
                case WSMsgType.TEXT:
                    data = message.data.encode()
                case _:
                    return None
            if not data:
                continue
            if data[0] == _CLOSE and self._has_close:
                return data[1], None
            return data[0], data[1:]

    async def close(self) -> None:
        await self._websocket.close()

    @property
    def response(self) -> web.WebSocketResponse:
        return self._websocket


async def upgrade(request: web.Request, *, protocols: tuple[str, ...]) -> web.WebSocketResponse:
    """Raises: Refusal: 400, it is no handshake, or of another protocol."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise Refusal(400, "Upgrade request required")
    offered = {
        each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    }
    if not offered & set(protocols):
        raise Refusal(400, f"unable to upgrade: no protocol of {sorted(offered)} is known here")
    websocket = web.WebSocketResponse(protocols=protocols, max_msg_size=0, compress=False)
    await websocket.prepare(request)
    return websocket
