"""Installs an agent where the server is, and tells how far it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from sandbox_agent_core.api.agents import InstallProgress, InstallResult
from sandbox_agent_core.errors import ServerUnreachable

from sandbox_agent_client._async._backend import settle
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._calls import Call
from sandbox_agent_client._calls.agents import read_install_event

__all__ = ["OnProgress", "install"]

OnProgress = Callable[[InstallProgress], Awaitable[object] | object]


async def install(
    transport: Transport, call: Call[InstallResult], on_progress: OnProgress | None
) -> InstallResult:
    """Raises: the error that ended the installation; ServerUnreachable when the connection breaks."""
    # Also without a callback: a gateway that sees no byte for minutes cuts the connection.
    async with aclosing(transport.events(call)) as events:
        async for event in events:
            news = read_install_event(event)
            if isinstance(news, InstallResult):
                return news
            if news is not None and on_progress is not None:
                await settle(on_progress(news))
    raise ServerUnreachable(
        "The server broke off while it installed; it may go on. Ask again to wait for it."
    )
