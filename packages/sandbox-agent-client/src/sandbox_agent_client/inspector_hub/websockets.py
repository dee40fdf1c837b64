"""A WebSocket of a browser and one of a server, joined."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox_agent_core.errors import ServerUnreachable
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from sandbox_agent_client._network import is_loopback
from sandbox_agent_client.inspector_hub.admission import BEARER_PROTOCOL
from sandbox_agent_client.inspector_hub.passing import request_headers, target_of
from sandbox_agent_client.inspector_hub.servers import HubServers

__all__ = ["pass_websocket"]

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

OPEN_TIMEOUT_S = 15.0
OWN_PROTOCOL = "sandbox-agent"
_NOT_SAID = 1005
_GONE = 1011


async def pass_websocket(
    servers: HubServers,
    name: str,
    path: bytes,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    is_admitted: bool,
) -> None:
    """Raises: SandboxNotFound, SandboxAsleep, ProviderError, ServerUnreachable: before it is accepted."""
    endpoint = await servers.endpoint(name, wakes=False)
    offered = [one for one in scope["subprotocols"] if not one.startswith(BEARER_PROTOCOL)]
    headers = request_headers(scope, endpoint, is_admitted=is_admitted)
    url = target_of(scope, endpoint, path).replace("http", "ws", 1)
    try:
        server = await connect(
            url,
            additional_headers=[(key.decode(), value.decode("latin-1")) for key, value in headers],
            subprotocols=[one for one in offered if one != OWN_PROTOCOL] or None,
            max_size=None,
            open_timeout=OPEN_TIMEOUT_S,
            user_agent_header=None,
            proxy=None if is_loopback(url) else True,
        )
    except InvalidStatus as exc:
        await receive()
        await _refuse(exc, scope, send)
        return
    except (OSError, TimeoutError, WebSocketException) as exc:
        servers.forget(name, endpoint)
        raise ServerUnreachable(f"{name!r} does not answer: {exc}") from exc
    async with server:
        await receive()  # websocket.connect
        chosen = server.subprotocol or (OWN_PROTOCOL if OWN_PROTOCOL in offered else None)
        await send({"type": "websocket.accept", "subprotocol": chosen})
        await _join(server, receive, send)


async def _join(server: ClientConnection, receive: Receive, send: Send) -> None:
    outwards = asyncio.ensure_future(_to_browser(server, send))
    inwards = asyncio.ensure_future(_to_server(server, receive))
    try:
        await asyncio.wait({outwards, inwards}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (outwards, inwards):
            task.cancel()
        await asyncio.gather(outwards, inwards, return_exceptions=True)


async def _to_browser(server: ClientConnection, send: Send) -> None:
    try:
        async for message in server:
            kind = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", kind: message})
    except ConnectionClosed:
        pass  # it says so below
    code = server.close_code or _GONE
    code = 1000 if code == _NOT_SAID else _GONE if code == 1006 else code
    await send({"type": "websocket.close", "code": code, "reason": server.close_reason or ""})


async def _to_server(server: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", 1000)
            await server.close(1000 if code in (_NOT_SAID, 1006) else code)
            return
        text = message.get("text")
        await server.send(text if text is not None else message["bytes"])


async def _refuse(exc: InvalidStatus, scope: Scope, send: Send) -> None:
    """As the server has refused it."""
    response = exc.response
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    kind = response.headers.get("Content-Type", "text/plain")
    headers = [(b"content-type", kind.encode("latin-1"))]
    start = {"type": "websocket.http.response.start", "status": response.status_code}
    await send({**start, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body or b""})
