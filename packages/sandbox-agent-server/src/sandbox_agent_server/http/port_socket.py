"""A WebSocket to a port of the sandbox, and back, message by message."""

from __future__ import annotations

import logging
from typing import Final

from sandbox_agent_core.errors import PortUnreachable, SandboxAgentError, Timeout
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from sandbox_agent_server.http.port_connection import connect_loopback
from sandbox_agent_server.http.port_headers import (
    OFFERED,
    request_headers,
    response_headers,
    seen_prefix,
    target_of,
)
from sandbox_agent_server.http.port_proxy import PortProxy
from sandbox_agent_server.http.presented_token import WEBSOCKET_PROTOCOL
from sandbox_agent_server.http.stream import drain_of, first_of
from sandbox_agent_server.http.websocket import refuse_websocket

__all__ = ["serve_port_websocket"]

_logger = logging.getLogger(__name__)
_logger.setLevel(logging.WARNING)  # at DEBUG it tells of every header and message
_CLOSE_TIMEOUT_S: Final = 2.0
_NOT_SENT: Final = (
    CloseCode.NO_STATUS_RCVD,
    CloseCode.ABNORMAL_CLOSURE,
    CloseCode.TLS_HANDSHAKE,
)
"""Codes that stand for none."""


class _Connect(connect):
    """Follows no redirect: it would lead out of the sandbox."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def serve_port_websocket(websocket: WebSocket, proxy: PortProxy, port: int) -> None:
    """Until one side closes; the other is closed with its code. What the port refuses is refused to the client."""
    try:
        with proxy.hold():
            target = await _open(websocket, proxy, port)
            try:
                await _accept(websocket, target)
                await first_of(_to_port(websocket, target), _to_client(websocket, target))
            finally:
                await target.close()
    except InvalidStatus as exc:
        await _refuse_as(websocket, exc, port)
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
    except (WebSocketDisconnect, ConnectionClosed, OSError):
        return


async def _open(websocket: WebSocket, proxy: PortProxy, port: int) -> ClientConnection:
    """Raises: InvalidStatus, PortUnreachable, Timeout."""
    limits, scope = proxy.limits, websocket.scope
    sock = await connect_loopback(port, timeout_s=limits.port_connect_timeout_s)
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request_headers(scope, port)
        if name != b"host"
    ]
    try:
        return await _Connect(
            f"ws://localhost:{port}{target_of(scope, port).decode('latin-1')}",
            sock=sock,
            subprotocols=[Subprotocol(name) for name in scope.get("subprotocols", ())] or None,
            additional_headers=headers,
            user_agent_header=None,
            compression=None,
            max_size=limits.max_port_message_bytes,
            open_timeout=limits.port_answer_timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            # Our own connection to the client is asked whether it lives; this one is of the same machine.
            ping_interval=None,
            logger=_logger,
        )
    except InvalidStatus:
        raise
    except TimeoutError as exc:
        raise Timeout(
            f"the program on port {port} of the sandbox has not answered in time", port=port
        ) from exc
    except (InvalidHandshake, OSError, EOFError) as exc:
        raise PortUnreachable(
            f"the program on port {port} of the sandbox takes no WebSocket ({exc})", port=port
        ) from exc


async def _accept(websocket: WebSocket, target: ClientConnection) -> None:
    chosen = target.subprotocol
    if chosen is None and websocket.scope.get(OFFERED):
        chosen = Subprotocol(WEBSOCKET_PROTOCOL)
    assert target.response is not None
    raw = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in target.response.headers.raw_items()
    ]
    port = int(websocket.path_params["port"])
    own = (b"date", b"content-length")
    prefix = seen_prefix(websocket.scope, port)
    headers = [
        pair for pair in response_headers(raw, port=port, prefix=prefix) if pair[0] not in own
    ]
    await websocket.accept(chosen, headers)


async def _to_port(websocket: WebSocket, target: ClientConnection) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or CloseCode.NO_STATUS_RCVD
            if code in _NOT_SENT:
                code = CloseCode.NORMAL_CLOSURE
            await target.close(code, message.get("reason") or "")
            return
        text = message.get("text")
        await target.send(text if text is not None else message.get("bytes") or b"")


async def _to_client(websocket: WebSocket, target: ClientConnection) -> None:
    drain = drain_of(websocket.scope)
    try:
        while True:
            message = await target.recv()
            if isinstance(message, str):
                await websocket.send_text(message)
            else:
                await websocket.send_bytes(message)
            await drain()
    except ConnectionClosed as exc:
        # Ours, where it was the message that was at fault.
        frame = exc.rcvd or exc.sent
        if frame is None:
            await websocket.close(CloseCode.INTERNAL_ERROR, "the program ended")
        elif frame.code in _NOT_SENT:
            await websocket.close(CloseCode.NORMAL_CLOSURE)
        else:
            await websocket.close(frame.code, frame.reason)


async def _refuse_as(websocket: WebSocket, exc: InvalidStatus, port: int) -> None:
    answer = exc.response
    if "websocket.http.response" not in websocket.scope.get("extensions", {}):
        await websocket.close(1008)
        return
    raw = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.raw_items()
    ]
    own = (b"date", b"content-length")
    prefix = seen_prefix(websocket.scope, port)
    response = Response(bytes(answer.body or b""), status_code=answer.status_code)
    response.raw_headers += [
        pair for pair in response_headers(raw, port=port, prefix=prefix) if pair[0] not in own
    ]
    await websocket.send_denial_response(response)
