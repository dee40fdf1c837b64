"""Where a command works: at a server that runs, or in a sandbox of its own; and where local data live.

Every local session has a server directory of its own, so that runs at the same time do not meet in
one log. What was said is also copied into one store, which lists and shows sessions without a server.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.local import LocalProvider
from sandbox_agent_client.persistence import SqliteStore

__all__ = ["Place", "data_dir", "local_store", "resolve_place"]

URL_VARIABLE = "SANDBOX_AGENT_URL"
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
DATA_VARIABLE = "SANDBOX_AGENT_DATA_DIR"


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`$SANDBOX_AGENT_DATA_DIR`, else `$XDG_DATA_HOME/sandbox-agent`, else `~/.local/share/sandbox-agent`."""
    if given := environ.get(DATA_VARIABLE):
        return Path(given).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "sandbox-agent"


def local_store() -> SqliteStore:
    return SqliteStore(data_dir() / "cli" / "sessions.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    url: str | None = None
    token: str | None = None
    sandbox: str = LocalProvider.name

    @property
    def is_local(self) -> bool:
        return self.url is None and self.sandbox == LocalProvider.name

    @asynccontextmanager
    async def open(
        self, *, session_id: str | None = None, report: Callable[[str], None] | None = None
    ) -> AsyncIterator[SandboxAgent]:
        """A client; a sandbox that was made for it is gone afterwards. `session_id`: keep its log."""
        if self.url is not None:
            async with SandboxAgent.connect(self.url, token=self.token) as client:
                yield client
            return
        provider: str | LocalProvider = self.sandbox
        if self.is_local and session_id is not None:
            kept = data_dir() / "cli" / "servers" / session_id
            kept.mkdir(parents=True, exist_ok=True, mode=0o700)
            provider = LocalProvider(data_dir=kept)
        store = local_store() if session_id is not None else None
        async with SandboxAgent.start(provider, persistence=store, report=report) as client:
            yield client


def resolve_place(*, url: str | None, sandbox: str | None, token_env: str) -> Place:
    """The options, then the environment, then a local sandbox."""
    if url is not None and sandbox is not None:
        raise typer.BadParameter("give either --url or --sandbox")
    if sandbox is not None:
        return Place(sandbox=sandbox)
    url = url or os.environ.get(URL_VARIABLE)
    if url is None:
        return Place()
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not an http:// or https:// URL")
    return Place(url=url, token=os.environ.get(token_env))
