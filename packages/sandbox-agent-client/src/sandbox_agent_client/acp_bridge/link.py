"""The connection under the bridge: made again when it is lost, and the sandbox woken if it sleeps."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from sandbox_agent_core.spi.provider import Endpoint
from websockets.asyncio.client import ClientConnection

from sandbox_agent_client._async._backend import websocket_connect
from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._async.websocket import CLOSE_TIMEOUT_S, MAX_MESSAGE_BYTES
from sandbox_agent_client._endpoint import headers_of
from sandbox_agent_client._failures import websocket_failures
from sandbox_agent_client._network import is_loopback
from sandbox_agent_client._resume import RECONNECT_TIMEOUT_S, Reconnection
from sandbox_agent_client.acp_bridge.exchange import Exchange
from sandbox_agent_client.errors import SandboxAgentError, ServerUnreachable

__all__ = ["keep_connected"]

OPEN_TIMEOUT_S: Final = 30.0
PING_EVERY_S: Final = 20.0
"""A connection that died tells nobody."""
_WHAT: Final = "the ACP connection"


async def keep_connected(
    connection: Connection,
    exchange: Exchange,
    *,
    agent: str | None,
    report: Callable[[str], None],
    timeout_s: float = RECONNECT_TIMEOUT_S,
) -> None:
    """Until it is cancelled.

    Raises:
        SandboxAgentError: the server refuses, is gone, or did not come back within `timeout_s`.
    """
    reconnection = Reconnection(timeout_s=timeout_s)
    transport = connection.transport

    def on_message() -> None:
        reconnection.alive()
        connection.called_at = time.monotonic()  # the sandbox is in use

    while True:
        used = transport.endpoint
        try:
            await transport.whereabouts.ready(wakes=True)
            used = transport.endpoint
            async with _Socket(transport.endpoint, agent) as socket:
                reconnection.connected()
                if reconnection.is_down:
                    report("connected again")
                await socket.carry(exchange, on_message=on_message)
            failure: SandboxAgentError = ServerUnreachable(f"{_WHAT} was closed")
        except ServerUnreachable as exc:
            failure = exc
            await transport.whereabouts.recovered(used, exc, wakes=True)
        finally:
            exchange.disconnected()
        was_down = reconnection.is_down
        delay_s = reconnection.delay_after(failure)
        if not was_down:
            report(f"connection lost, trying again ({failure.message})")
        await asyncio.sleep(delay_s)


class _Socket:
    """One connection."""

    def __init__(self, endpoint: Endpoint, agent: str | None) -> None:
        url = httpx.URL(endpoint.url.rstrip("/") + "/acp")
        if agent is not None:
            url = url.copy_add_param("agent", agent)
        self._url = str(url.copy_with(scheme="wss" if url.scheme == "https" else "ws"))
        self._headers = headers_of(endpoint)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self) -> _Socket:
        with websocket_failures(_WHAT):
            self._connection: ClientConnection = await websocket_connect(
                self._url,
                additional_headers=self._headers,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=MAX_MESSAGE_BYTES,
                ping_interval=PING_EVERY_S,
                compression=None,
                proxy=None if is_loopback(self._url) else True,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def carry(self, exchange: Exchange, *, on_message: Callable[[], None]) -> None:
        """Until the connection ends. Raises: ServerUnreachable."""

        def send(frame: Any) -> None:
            self._outgoing.put_nowait(json.dumps(frame))

        exchange.connected(send)
        sending = asyncio.create_task(self._send())
        try:
            with websocket_failures(_WHAT):
                async for message in self._connection:
                    on_message()
                    exchange.from_server(json.loads(message))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self) -> None:
        with websocket_failures(_WHAT):
            while True:
                await self._connection.send(await self._outgoing.get())
