"""Where a command works: at a server that runs, or in a sandbox of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.daemon import Daemon
from sandbox_agent_client.cli.local_sessions import local_store, make_server_dir
from sandbox_agent_client.cli.variables import URL_VARIABLE
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_client.workspace import Workspace

__all__ = ["Target", "resolve_server", "resolve_target", "running_servers"]

THIS_MACHINE = "this machine"


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
    store: str | None = field(default=None, repr=False)
    """Where its sessions are kept, instead of in that of this machine."""

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
            connecting = SandboxAgent.connect(self.url, token=self.token, persistence=self.store)
            async with connecting as client:
                yield client
            return
        options = dict(self.options)
        store: Path | str | None = self.store
        if store is None and session_id is not None:
            store = local_store().path
            if self.is_local:
                options.setdefault("data_dir", make_server_dir(session_id))
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
    store: str | None = None,
) -> Target:
    """The options, then the environment, then the server of this machine, then a local sandbox. With a `store` the last
    but one is left out: whoever names one wants its sessions, wherever they were.

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
            store=store,
        )
    if store is not None and url is None and URL_VARIABLE not in os.environ:
        return Target(store=store)
    daemon = Daemon.running()
    url = url or os.environ.get(URL_VARIABLE)
    if url is None:
        return Target() if daemon is None else _at_daemon(daemon)
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not a URL: write http:// or https:// before the host")
    token = os.environ.get(token_env)
    if token is None and daemon is not None and url.rstrip("/") == daemon.url:
        return replace(_at_daemon(daemon), store=store)
    return Target(url=url, token=token, store=store)


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


def running_servers(url: str | None, token_env: str) -> dict[str, Endpoint]:
    """By names for people: that of `url`; without one, all that run anyhow, of this machine and of the environment.

    Raises:
        typer.BadParameter: the URL is none.
    """
    found: dict[str, Endpoint] = {}
    daemon = Daemon.running()
    if url is None and daemon is not None:
        found[THIS_MACHINE] = Endpoint(url=daemon.url, token=daemon.token())
    wanted = url or os.environ.get(URL_VARIABLE)
    if wanted and not (daemon is not None and url is None and wanted.rstrip("/") == daemon.url):
        target = resolve_target(url=wanted, token_env=token_env)
        assert target.url is not None
        found[target.url.partition("://")[2].rstrip("/")] = Endpoint(
            url=target.url, token=target.token
        )
    return found


def _at_daemon(daemon: Daemon) -> Target:
    return Target(url=daemon.url, token=daemon.token(), is_daemon=True)
