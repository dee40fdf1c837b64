"""Ports of the sandbox: what listens, and where it is reached."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from sandbox_agent_core.api.ports import ListeningPort, PortList
from sandbox_agent_core.spi.provider import PortUrl

from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._calls import ports as calls

__all__ = ["Ports", "proxied"]


class Ports:
    """`client.ports`: what listens in the sandbox. It takes a token with the scope `host`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> list[ListeningPort]:
        """What listens now, by number; one that listens on two addresses is there twice.

        Raises:
            OperationNotSupported: the machine does not say (it is not Linux).
        """
        return (await self._connection.call(calls.list_all())).ports

    async def watch(self) -> AsyncGenerator[Sequence[ListeningPort], None]:
        """What listens now, and again whenever that has changed, without an end.

            async for ports in client.ports.watch():
                if any(one.port == 3000 for one in ports):
                    break

        Raises what `list` raises, and ServerUnreachable when the connection breaks.
        """
        async with aclosing(self._connection.transport.events(calls.list_all())) as events:
            async for event in events:
                if event.event == "ports":
                    yield PortList.model_validate(json.loads(event.data)).ports

    async def url(self, port: int) -> PortUrl:
        """Where a browser reaches a port, through the server of the sandbox. What is there need not be open to the
        outside, and may also start later.

        The URL has a ticket in it and has to be opened within five minutes; then the browser has a cookie for this
        port, good for twelve hours. `client.sandbox.port_url` also knows the provider's own addresses.

        Raises:
            PortForbidden: the server keeps that port closed, or it is its own.
            InvalidRequest: it is no port.
        """
        return await proxied(self._connection.transport, port)


async def proxied(transport: Transport, port: int) -> PortUrl:
    """Through the server, with a ticket."""
    made = await transport.call(calls.port_ticket(port))
    endpoint = transport.endpoint
    return PortUrl(
        url=endpoint.url.rstrip("/") + made.path,
        headers=endpoint.headers,
        via="proxy",
        expires_at=datetime.fromisoformat(made.expires_at),
    )
