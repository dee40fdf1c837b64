# Generated from `_async/installing.py` by `scripts/unasync.py`: do not edit.
"""Installs an agent where the server is, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sandbox_agent_core.api.agents import InstallProgress, InstallResult
from sandbox_agent_core.errors import ServerUnreachable

from sandbox_agent_client._calls import Call
from sandbox_agent_client._calls.agents import read_install_event
from sandbox_agent_client._sync._backend import settle
from sandbox_agent_client._sync.transport import Transport

__all__ = ["OnProgress", "install"]

OnProgress = Callable[[InstallProgress], object]


def install(
    transport: Transport, call: Call[InstallResult], on_progress: OnProgress | None
) -> InstallResult:
    """Raises: the error that ended the installation; ServerUnreachable when the connection breaks."""
    # Also without a callback: a gateway that sees no byte for minutes cuts the connection.
    with closing(transport.events(call)) as events:
        for event in events:
            news = read_install_event(event)
            if isinstance(news, InstallResult):
                return news
            if news is not None and on_progress is not None:
                settle(on_progress(news))
    raise ServerUnreachable(
        "The server broke off while it installed; it may go on. Ask again to wait for it."
    )
