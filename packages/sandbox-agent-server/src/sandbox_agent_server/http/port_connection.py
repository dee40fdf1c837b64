"""A connection to a port of the sandbox: the loopback, whichever address of it the program listens on."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from sandbox_agent_core.errors import PortUnreachable, Timeout

__all__ = ["connect_loopback"]

_LOOPBACK: Final = ("127.0.0.1", "::1")


async def connect_loopback(port: int, *, timeout_s: float) -> socket.socket:
    """Raises: PortUnreachable, Timeout."""
    for address in _LOOPBACK:
        try:
            return await _connect(address, port, timeout_s)
        except TimeoutError as exc:
            raise Timeout(
                f"port {port} of the sandbox takes no connection within {timeout_s:g} s: the program there is too "
                "busy",
                port=port,
            ) from exc
        except OSError:
            continue  # nothing there, or this machine has no IPv6
    raise PortUnreachable(
        f"nothing listens on port {port} of the sandbox: start the program there, and let it listen on 127.0.0.1 or "
        "on all addresses",
        port=port,
    )


async def _connect(address: str, port: int, timeout_s: float) -> socket.socket:
    sock = socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET,
        socket.SOCK_STREAM | socket.SOCK_CLOEXEC,
    )
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock
