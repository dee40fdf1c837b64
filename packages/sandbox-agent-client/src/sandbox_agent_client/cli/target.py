"""Where a command works: at a server that runs, or in a sandbox of its own; and where local data live.

Every local session has a server directory of its own, so that runs at the same time do not meet in
one log. What was said is also copied into one store, which lists and shows sessions without a server.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.errors import Conflict, StorageError
from sandbox_agent_client.persistence import SqliteTranscriptStore
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.plugins import find_provider

__all__ = ["Target", "delete_local_log", "local_store", "resolve_target"]

URL_VARIABLE = "SANDBOX_AGENT_URL"
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable


def local_store() -> SqliteTranscriptStore:
    return SqliteTranscriptStore(data_dir() / "cli" / "sessions.db")


def delete_local_log(session_id: str) -> None:
    """The server directory of a local session, if it has one.

    Raises:
        Conflict: a run of it is going on.
    """
    directory = _server_dir(session_id)
    try:
        # The server holds this lock as long as it runs.
        with (directory / "server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
    except FileNotFoundError:
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError as exc:
        raise Conflict(f"Session {session_id!r} is running here: end that run first.") from exc


def _server_dir(session_id: str) -> Path:
    return data_dir() / "cli" / "servers" / session_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: str | None = None
    token: str | None = None
    sandbox: str = LocalProvider.name
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of the sandbox's provider."""
    wheelhouse: Path | None = None

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
        options = dict(self.options)
        if self.is_local and session_id is not None:
            kept = _server_dir(session_id)
            try:
                kept.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as exc:
                raise StorageError(
                    f"Sessions of this machine are kept in {str(data_dir())!r}, which cannot be made: {exc}"
                ) from exc
            options.setdefault("data_dir", kept)
        store = local_store() if session_id is not None else None
        async with SandboxAgent.start(
            find_provider(self.sandbox, options),
            wheelhouse=self.wheelhouse,
            persistence=store,
            report=report,
        ) as client:
            yield client


def resolve_target(
    *,
    url: str | None,
    sandbox: str | None,
    token_env: str,
    options: Mapping[str, Any] | None = None,
    wheelhouse: Path | None = None,
) -> Target:
    """The options, then the environment, then a local sandbox."""
    if url is not None and (sandbox is not None or options or wheelhouse):
        raise typer.BadParameter("give either --url or --sandbox with its options")
    if sandbox is not None or options or wheelhouse:
        return Target(
            sandbox=sandbox or LocalProvider.name, options=options or {}, wheelhouse=wheelhouse
        )
    url = url or os.environ.get(URL_VARIABLE)
    if url is None:
        return Target()
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is not an http:// or https:// URL")
    return Target(url=url, token=os.environ.get(token_env))
