"""`sandbox-agent store`: what a transcript store has, and what of it goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from sandbox_agent_core.spi.persistence import SessionRecord
from sandbox_agent_core.stores.opening import shown_store

from sandbox_agent_client.cli.archive import open_stored
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import Store
from sandbox_agent_client.cli.store_following import add_follow_command
from sandbox_agent_client.cli.terminal import confirmed
from sandbox_agent_client.errors import InvalidRequest
from sandbox_agent_client.persistence import SupportsRetention

__all__ = ["store_app"]

PAGE_SESSIONS = 500
_AGE: Final = re.compile(r"(\d{1,5})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}

store_app = Commands(
    help="Where what was said and done is kept: that of `run` and `chat`, or one of your own."
)


add_follow_command(store_app)


@store_app.command("status")
def _status(store: Store = None) -> None:
    """What is in it."""
    finish(_show_status(store))


@store_app.command("prune")
def _prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Since they ended: 12h, 30d, 8w.")
    ],
    store: Store = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete sessions that ended long ago. There is no way back."""
    age = _age_of(older_than)
    question = f"Delete all sessions that ended more than {older_than} ago for good?"
    if not yes and not confirmed(question, otherwise="--yes deletes"):
        raise typer.Exit(int(ExitCode.USAGE))
    finish(_prune_store(store, datetime.now(UTC) - age))


def _age_of(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no age: 12h, 30d or 8w", param_hint="--older-than")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


async def _show_status(store: str | None) -> None:
    count, ended = 0, 0
    newest: SessionRecord | None = None
    last: SessionRecord | None = None
    async with open_stored(store) as opened:
        while page := await opened.list_sessions(limit=PAGE_SESSIONS, before=last):
            newest, last = newest or page[0], page[-1]
            count += len(page)
            ended += sum(record.ended_at is not None for record in page)
    print(f"store     {shown_store(store) if store else 'that of `run` and `chat`'}")
    print(f"sessions  {count}, {ended} of them ended")
    if newest is not None and last is not None:
        print(f"oldest    {last.created_at}  {last.id}")
        print(f"newest    {newest.created_at}  {newest.id}")


async def _prune_store(store: str | None, ended_before: datetime) -> None:
    async with open_stored(store) as opened:
        if not isinstance(opened, SupportsRetention):
            raise InvalidRequest(f"The store {shown_store(store or '')!r} cannot be pruned.")
        print(f"deleted {await opened.prune(ended_before=ended_before)} sessions")
