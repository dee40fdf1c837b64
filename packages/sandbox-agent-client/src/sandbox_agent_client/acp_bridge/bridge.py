"""Carries lines between an editor and a sandbox until either is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, BinaryIO, Final

from sandbox_agent_core.frames import acp

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.acp_bridge.exchange import Exchange, Rewrite, with_meta
from sandbox_agent_client.acp_bridge.link import keep_connected
from sandbox_agent_client.acp_bridge.stdio import LineReader, LineWriter
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["bridge", "rewriting"]

_OPENINGS: Final = (acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME, acp.SESSION_FORK)
_PLACES: Final = ("cwd", "additionalDirectories")
_FLUSH_S: Final = 5.0


def rewriting(
    *, cwd: str | None, is_local: bool, session: Mapping[str, Any] | None = None
) -> Rewrite:
    """Paths of the editor's machine mean nothing in a sandbox: there the `cwd` is what is given, else the server's own
    directory. `session`: more members of the sessions that are made."""

    def rewrite(method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method in (*_OPENINGS, "session/list"):
            if not is_local:
                params = {name: params[name] for name in params if name not in _PLACES}
            if cwd is not None:
                params = {**params, "cwd": cwd}
        if method in _OPENINGS and session:
            params = with_meta(params, {"session": dict(session)})
        return params

    return rewrite


async def bridge(
    opened: AbstractAsyncContextManager[SandboxAgent],
    incoming: int,
    outgoing: BinaryIO,
    *,
    agent: str | None,
    rewrite: Rewrite,
    report: Callable[[str], None],
) -> None:
    """Until the editor ends its input, which is a descriptor. The sandbox is opened meanwhile, and requests wait for it.

    Raises:
        SandboxAgentError: there is no sandbox, or no connection to it any more. The editor was told.
    """
    reader, writer = LineReader(incoming), LineWriter(outgoing)
    exchange = Exchange(writer.write, rewrite=rewrite)
    has_hello = asyncio.Event()

    async def read() -> None:
        while (line := await reader.next()) is not None:
            exchange.from_editor(line)
            if exchange.hello is not None:
                has_hello.set()

    async def carry() -> None:
        async with opened as client:
            await has_hello.wait()
            connection = client._connection
            await keep_connected(connection, exchange, agent=agent, report=report)

    async with _ended(writer.run()), _ended(read()) as reading:
        carrying = asyncio.create_task(carry())
        try:
            await asyncio.wait([reading, carrying], return_when=asyncio.FIRST_COMPLETED)
            if carrying.done():
                await carrying
        except SandboxAgentError as exc:
            exchange.fail(exc.message, code=exc.code)
            async with asyncio.timeout(_FLUSH_S):
                await writer.flushed()
            raise
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)


@asynccontextmanager
async def _ended(work: Any) -> AsyncIterator[asyncio.Task[None]]:
    """It runs as long as the block."""
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
