"""Where a command works: at a server that runs, or in a sandbox of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.daemon import Daemon
from sandbox_agent_client.cli.local_sessions import local_store, make_server_dir
from sandbox_agent_client.cli.variables import URL_VARIABLE
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_client.workspace import Workspace

__all__ = ["Target", "resolve_server", "resolve_target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    is_daemon: bool = False
    """The server is that of `server start`, on this machine."""
    sandbox: str = LocalProvider.name
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of the sandbox's provider."""
    wheelhouse: Path | None = None
    workspace: Workspace | None = None
    """What a sandbox that is made is to have in it."""

    @property
    def is_local(self) -> bool:
        """Its agents work on this machine."""
        return self.is_daemon or (self.url is None and self.sandbox == LocalProvider.name)

    @asynccontextmanager
    async def open(
        self, *, session_id: str | None = None, report: Callable[[str], None] | None = None
    ) -> AsyncIterator[SandboxAgent]:
        """A client; a sandbox that was made for it is gone afterwards. `session_id`: keep its log."""
        if self.url is not None:
            async with SandboxAgent.connect(self.url, token=self.token) as client:
                yield client
            return
        options = dict(self.options)
        if self.is_local and session_id is not None:
            options.setdefault("data_dir", make_server_dir(session_id))
        store = local_store() if session_id is not None else None
        async with SandboxAgent.start(
            find_provider(self.sandbox, options),
            wheelhouse=self.wheelhouse,
            workspace=self.workspace,
            persistence=store,
            report=report,
        ) as client:
            yield client


def resolve_target(
    *,
    url: str | None,
    sandbox: str | None = None,
    token_env: str,
    options: Mapping[str, Any] | None = None,
    wheelhouse: Path | None = None,
    workspace: Workspace | None = None,
) -> Target:
    """The options, then the environment, then the server of this machine, then a local sandbox.

    Raises:
        typer.BadParameter: they exclude each other, or the URL is none.
    """
    is_new = sandbox is not None or bool(options) or bool(wheelhouse) or workspace is not None
    if url is not None and is_new:
        raise typer.BadParameter("give either --url or --sandbox with its options")
    if is_new:
        return Target(
            sandbox=sandbox or LocalProvider.name,
            options=options or {},
            wheelhouse=wheelhouse,
            workspace=workspace,
        )
    daemon = Daemon.running()
    url = url or os.environ.get(URL_VARIABLE)
    if url is None:
        return Target() if daemon is None else _at_daemon(daemon)
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not a URL: write http:// or https:// before the host")
    token = os.environ.get(token_env)
    if token is None and daemon is not None and url.rstrip("/") == daemon.url:
        return _at_daemon(daemon)
    return Target(url=url, token=token)


def resolve_server(url: str | None, token_env: str) -> Target:
    """For what only a server that runs can do.

    Raises:
        typer.BadParameter: there is none.
    """
    target = resolve_target(url=url, token_env=token_env)
    if target.url is None:
        raise typer.BadParameter(
            f"which server? give --url, set {URL_VARIABLE}, or `sandbox-agent server start` one"
        )
    return target


def _at_daemon(daemon: Daemon) -> Target:
    return Target(url=daemon.url, token=daemon.token(), is_daemon=True)
