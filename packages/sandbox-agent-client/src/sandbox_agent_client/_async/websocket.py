"""The event stream over a WebSocket, for networks whose proxies buffer server-sent events."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_int
from sandbox_agent_core.redact import mask
from sandbox_agent_core.wire.problem import from_problem

from sandbox_agent_client._async._backend import (
    ClientConnection,
    websocket_connect,
    websocket_receive,
    websocket_socket,
)
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._failures import read_json, stream_silence, websocket_failures
from sandbox_agent_client._network import is_loopback

__all__ = ["open_websocket", "websocket_batches"]


class _WithoutSecrets(logging.Filter):
    """At DEBUG websockets tells of every header that it sends, and the token is in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), None
        return True


_wire_logger = logging.getLogger("sandbox_agent_client.websocket")
_wire_logger.addFilter(_WithoutSecrets())

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Twice the longest line that the server takes from an agent."""
CLOSE_TIMEOUT_S = 2.0


async def open_websocket(
    url: str, *, headers: Mapping[str, str], timeout_s: float, what: str
) -> ClientConnection:
    """One that is read for as long as it lives: pings show that it does.

    Raises:
        SandboxAgentError: the server refused the handshake, or the connection failed.
    """
    with websocket_failures(what):
        return await websocket_connect(
            url,
            additional_headers=dict(headers),
            open_timeout=timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            logger=_wire_logger,
            proxy=None if is_loopback(url) else True,
        )


@asynccontextmanager
async def websocket_batches(
    url: str,
    *,
    headers: Mapping[str, str],
    interrupt: Interrupt,
    timeout_s: float,
    silence_s: float,
    what: str,
) -> AsyncIterator[AsyncIterator[list[Mapping[str, Any]]]]:
    """Batches of log entries; an empty batch is a heartbeat. One connection.

    Raises:
        SandboxAgentError: the server refused the handshake, or the connection failed.
    """
    with websocket_failures(what), stream_silence(what, silence_s):
        connection = await websocket_connect(
            url,
            additional_headers=dict(headers),
            open_timeout=min(timeout_s, silence_s),
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            # The server's heartbeats show that it lives; compressing loopback text costs more than it saves.
            ping_interval=None,
            compression=None,
            logger=_wire_logger,
            proxy=None if is_loopback(url) else True,
        )
    try:
        with (
            websocket_failures(what),
            stream_silence(what, silence_s),
            interrupt.guarding(websocket_socket(connection)),
        ):
            yield _batches(connection, silence_s)
    finally:
        await connection.close()


async def _batches(
    connection: ClientConnection, silence_s: float
) -> AsyncIterator[list[Mapping[str, Any]]]:
    while True:
        text = await websocket_receive(connection, timeout_s=silence_s)
        message = as_dict(read_json(text, "A message of the WebSocket"))
        kind = message.get("type")
        if kind == "event":
            yield [message.get("event") or {}]
        elif kind == "checkpoint":
            yield [{"cursor": message.get("cursor")}]
        elif kind == "error" and message.get("id") is None:
            problem = as_dict(message.get("error"))
            raise from_problem(problem, as_int(problem.get("status")) or 500)
        else:
            yield []
