"""A command that does something to one session, wherever that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.archive import ServerArchive, StoreArchive, open_archives, place_of
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.target import resolve_target
from sandbox_agent_client.cli.variables import URL_VARIABLE

__all__ = ["AtServer", "InStore", "in_session"]

AtServer = Callable[[Session], Awaitable[ExitCode | None]]
InStore = Callable[[StoreArchive, str], Awaitable[ExitCode | None]]


def in_session(
    name: str, url: str | None, token_env: str, work: AtServer, *, in_store: InStore | None = None
) -> None:
    """Find it, do the work, and leave with the exit status. Without `in_store` only a server's will do."""

    async def command() -> ExitCode | None:
        target = resolve_target(url=url, token_env=token_env)
        if target.url is None and in_store is None:
            raise typer.BadParameter(
                "this takes a session of a server that runs: give --url, set "
                f"{URL_VARIABLE}, or `sandbox-agent server start` one"
            )
        async with open_archives(target) as archives:
            place = await place_of(archives, name)
            match place.archive:
                case ServerArchive(client=client):
                    return await work(await client.get_session(place.id))
                case StoreArchive() as archive if in_store is not None:
                    return await in_store(archive, place.id)
                case _:
                    raise typer.BadParameter(
                        f"session {place.id!r} was made by `run` on this machine: this takes one of a server"
                    )

    finish(command())
