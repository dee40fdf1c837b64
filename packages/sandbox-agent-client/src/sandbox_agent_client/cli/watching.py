"""`sandbox-agent sessions watch`: a session as it goes on. It only looks: nothing is answered and nothing is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import typer
from sandbox_agent_core.events import (
    Event,
    PermissionRequested,
    QuestionRequested,
    SessionEnded,
    TaskEnded,
    TurnDropped,
    TurnEnded,
    TurnQueued,
    TurnStarted,
)

from sandbox_agent_client.cli.approval import about
from sandbox_agent_client.cli.archive import (
    Place,
    ServerArchive,
    StoreArchive,
    is_busy,
    open_archives,
    place_of,
)
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish, of_stop_reason
from sandbox_agent_client.cli.local_sessions import run_of
from sandbox_agent_client.cli.options import (
    TOKEN_VARIABLE,
    Json,
    SessionName,
    Store,
    TokenEnv,
    Url,
)
from sandbox_agent_client.cli.playing import JsonLines, Output, People
from sandbox_agent_client.cli.target import Target, resolve_target

__all__ = ["Onlooker", "add_watch_command", "follow"]

POLL_S = 0.25
"""How often the store is asked for more of a session that another process of this machine writes."""


def add_watch_command(app: Commands, *, panel: str) -> None:
    app.command("watch", epilog=EXIT_HELP, rich_help_panel=panel)(_watch)


def _watch(
    session: SessionName,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    after: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="SEQ",
            help="What comes after it; 0 for all of it. Default: from the turn that runs.",
            show_default=False,
        ),
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Leave when nothing runs any more.")
    ] = False,
    json: Json = False,
) -> None:
    """Look on while a session is at work, until it ends or Ctrl-C. What it asks, others answer: see `requests`."""
    target = resolve_target(url=url, token_env=token_env)
    finish(_follow_it(target, store, session, after=after, until_idle=until_idle, as_json=json))


class Onlooker(People):
    """Shows also what others say and, unless this one `asks` it itself, what the agent asks."""

    def __init__(self, *, asks: bool = False) -> None:
        super().__init__()
        self.typed: str | None = None
        """The prompt of this terminal's own turn, which is on the screen already."""
        self._asks = asks

    def show(self, event: Event) -> None:
        match event:
            case TurnStarted(origin="prompt") | TurnQueued() if event.text:
                if event.text != self.typed:
                    queued = "queued: " if isinstance(event, TurnQueued) else ""
                    self.remark(f"> {queued}{event.text}", "bold")
            case PermissionRequested() | QuestionRequested() if not self._asks:
                self._tell(event)
            case SessionEnded():
                self.remark(f"the session has ended: {event.detail or event.reason}")
            case _:
                pass
        super().show(event)

    def _tell(self, event: PermissionRequested | QuestionRequested) -> None:
        if isinstance(event, QuestionRequested):
            self.remark(f"The agent asks: {event.message}", "bold yellow")
            self.remark(f"  sandbox-agent requests answer {event.request_id}")
            return
        self.remark(f"The agent asks: {about(event)}", "bold yellow")
        call = event.tool_call
        for diff in call.diffs if call is not None else ():
            self.change(diff, call.tool_call_id if call is not None else None)
        self.remark(f"  sandbox-agent requests allow {event.request_id}  (or deny)")


async def _follow_it(
    target: Target,
    store: str | None,
    name: str,
    *,
    after: int | None,
    until_idle: bool,
    as_json: bool,
) -> ExitCode:
    output: Output = JsonLines() if as_json else Onlooker()
    async with open_archives(target, store=store) as archives:
        place = await place_of(archives, name)
        if not as_json:
            output.remark(f"watching session {place.id}, Ctrl-C leaves")
        begin = await _last_turn(place) if after is None else after
        last: TurnEnded | TurnDropped | None = None
        async with aclosing(follow(place, begin, until_idle=until_idle)) as events:
            async for event in events:
                output.show(event)
                if isinstance(event, (TurnEnded, TurnDropped)):
                    last = event
    if not until_idle or last is None:
        return ExitCode.OK
    return of_stop_reason(last.stop_reason if isinstance(last, TurnEnded) else "cancelled")


async def follow(
    place: Place, after: int, *, until_idle: bool = False
) -> AsyncGenerator[Event, None]:
    """Its events after a seq, then live ones, up to the end of the session, or until nothing runs in it."""
    match place.archive:
        case ServerArchive() as server:
            events = _at_server(server, place.id, after, until_idle=until_idle)
        case StoreArchive() as kept:
            events = _in_store(kept, place.id, after, until_idle=until_idle)
        case other:
            raise TypeError(f"{other!r} cannot be followed")
    async with aclosing(events) as told:
        async for event in told:
            yield event
            if isinstance(event, SessionEnded):
                return


async def _at_server(
    archive: ServerArchive, id: str, after: int, *, until_idle: bool
) -> AsyncGenerator[Event, None]:
    session = await archive.client.get_session(id)
    if session.info.status == "ended" or (until_idle and not is_busy(session.info)):
        async for event in session.events(after=after):
            yield event
        return
    async with aclosing(session.stream(after=after)) as events:
        async for event in events:
            yield event
            is_end = isinstance(event, (TurnEnded, TurnDropped, TaskEnded))
            if until_idle and is_end and not is_busy(await session.refresh()):
                return


async def _in_store(
    archive: StoreArchive, id: str, after: int, *, until_idle: bool
) -> AsyncGenerator[Event, None]:
    while True:
        runs = archive.is_ours and run_of(id) is not None
        async for event in archive.events(id, after):
            after = event.seq
            yield event
        if not runs and (until_idle or not await archive.can_go_on(id)):
            return
        await asyncio.sleep(POLL_S)


async def _last_turn(place: Place) -> int:
    """The seq before the turn that runs; with none, that of the newest event."""
    begin = newest = 0
    is_open = False
    async for event in place.archive.events(place.id, 0, deltas=False):
        newest = event.seq
        if isinstance(event, TurnStarted):
            begin, is_open = event.seq - 1, True
        elif isinstance(event, TurnEnded):
            is_open = False
    return begin if is_open else newest
