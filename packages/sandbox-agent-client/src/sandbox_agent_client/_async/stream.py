"""A session's log as a live stream that survives its connections: every entry once, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from sandbox_agent_core.errors import InternalError, SandboxAgentError, ServerUnreachable
from sandbox_agent_core.frames.entry import LogEntry

from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._resume import Cursor, Reconnection

__all__ = ["follow", "read_entry"]

ASLEEP_POLL_S = 0.2


async def follow(
    transport: Transport,
    session_id: str,
    *,
    after: int,
    interrupt: Interrupt,
    reconnect_timeout_s: float | None,
) -> AsyncGenerator[LogEntry, None]:
    """Entries with a seq above `after`, then live ones. Ends only when `interrupt` is set or the client closed.

    Raises:
        ServerUnreachable: no connection within the deadline.
        StreamGap: entries are missing, and a new connection did not bring them.
        SandboxAgentError: the server refused (the session is gone, the token is wrong).
    """
    cursor = Cursor(after)
    reconnection = Reconnection(timeout_s=reconnect_timeout_s)
    while not _is_over(transport, interrupt):
        if transport.is_asleep:
            # Looking would wake the sandbox. Whoever calls next does that; then the count starts anew.
            await interrupt.sleep(ASLEEP_POLL_S)
            reconnection.alive()
            continue
        try:
            connection = _one_connection(transport, session_id, cursor, reconnection, interrupt)
            async with aclosing(connection) as entries:
                async for entry in entries:
                    yield entry
            failure: SandboxAgentError = ServerUnreachable("The server closed the event stream.")
        except SandboxAgentError as exc:
            failure = exc
        if _is_over(transport, interrupt):
            return
        await interrupt.sleep(reconnection.delay_after(failure))


def _is_over(transport: Transport, interrupt: Interrupt) -> bool:
    return interrupt.is_set or transport.is_closed


def read_entry(session_id: str, wire: Mapping[str, Any]) -> LogEntry:
    """Raises: InternalError when it is not an entry."""
    try:
        return LogEntry.from_wire(session_id, wire)
    except ValueError as exc:
        raise InternalError(f"The server sent {exc}: is this a sandbox-agent server?") from exc


async def _one_connection(
    transport: Transport,
    session_id: str,
    cursor: Cursor,
    reconnection: Reconnection,
    interrupt: Interrupt,
) -> AsyncGenerator[LogEntry, None]:
    if reconnection.is_down:
        await transport.locate(again=True)
    async with transport.stream(session_id, cursor.after, interrupt) as batches:
        reconnection.connected()
        async for batch in batches:
            for wire in batch:
                entry = read_entry(session_id, wire)
                if cursor.accept(entry.seq):
                    reconnection.alive()
                    yield entry
