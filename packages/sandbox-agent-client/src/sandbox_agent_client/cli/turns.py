"""`sandbox-agent sessions turns`: what was asked in a session, when, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from sandbox_agent_core.api.turns import TurnSummary

from sandbox_agent_client.cli.archive import open_archives, place_of
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import (
    TOKEN_VARIABLE,
    Json,
    SessionName,
    Store,
    TokenEnv,
    Url,
)
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_target

__all__ = ["add_turns_command"]

_NOBODY = {"agent": "(the agent goes on by itself)"}
"""What stands for the prompt of a turn that has none, by its origin."""


def add_turns_command(app: Commands, *, panel: str) -> None:
    app.command("turns", rich_help_panel=panel)(_turns)


def _turns(
    session: SessionName,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    tail: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the last N of them.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """A session's turns, oldest first: when each began, how long it took, how it ended, and its prompt."""
    target = resolve_target(url=url, token_env=token_env)
    finish(_show_turns(target, store, session, tail=tail, as_json=json))


async def _show_turns(
    target: Target, store: str | None, name: str, *, tail: int | None, as_json: bool
) -> None:
    async with open_archives(target, store=store) as archives:
        place = await place_of(archives, name)
        turns = await place.archive.turns(place.id, tail=tail)
    if as_json:
        for turn in turns:
            print(turn.model_dump_json(by_alias=True, exclude_none=True))
    elif not turns:
        print("No turns yet.")
    else:
        print_table(
            ("id", "began", "took", "status", "seq", "prompt"), [_cells(turn) for turn in turns]
        )


def _cells(turn: TurnSummary) -> tuple[str, ...]:
    told = turn.started_at or turn.queued_at
    began = f"{_local(told):%Y-%m-%d %H:%M}" if told is not None else ""
    took = ""
    if turn.started_at is not None and turn.ended_at is not None:
        took = _duration((_local(turn.ended_at) - _local(turn.started_at)).total_seconds())
    how = turn.stop_reason or turn.status
    prompt = turn.prompt or _NOBODY.get(turn.origin) or f"({turn.origin})"
    return (turn.id, began, took, how, str(turn.seq), prompt)


def _local(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone()


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
