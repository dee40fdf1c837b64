"""`sandbox-agent sessions`: what was said and done, from a server or from a store on this machine."""

from __future__ import annotations

import json as json_module
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sandbox_agent_core.events import Event
from sandbox_agent_core.exports import SessionExport
from sandbox_agent_core.stores.opening import shown_store
from sandbox_agent_core.view import render_markdown

from sandbox_agent_client.cli.archive import Row, open_archives, open_stored, place_of
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish, of_error
from sandbox_agent_client.cli.exporting import write_atif, write_export, write_inspect
from sandbox_agent_client.cli.long_work import add_long_work_commands
from sandbox_agent_client.cli.options import (
    TOKEN_VARIABLE,
    Deltas,
    Json,
    SessionName,
    SessionNames,
    Store,
    TokenEnv,
    Url,
)
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.steering import add_steering_commands
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_target
from sandbox_agent_client.cli.terminal import confirmed
from sandbox_agent_client.cli.transcript import show_transcript
from sandbox_agent_client.cli.turns import add_turns_command
from sandbox_agent_client.cli.watching import add_watch_command
from sandbox_agent_client.errors import InvalidRequest, SandboxAgentError
from sandbox_agent_client.persistence import SupportsSearch

__all__ = ["sessions_app"]

sessions_app = Commands(
    help="What is said and done: at a server, and, without --url, also what `run` and `chat` keep on this machine."
)


class ExportFormat(StrEnum):
    MARKDOWN = "markdown"
    JSONL = "jsonl"
    ATIF = "atif"
    INSPECT = "inspect"


PROMPT_CHARS = 72
"""Of one that stands for a title: the rest says little in a list."""
LOOK, STEER, CHANGE = "Look", "Steer", "Long work"


@sessions_app.command("list", rich_help_panel=LOOK)
def _list(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="Only with all of these in title, prompt, id, agent, directory or metadata.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The newest of them.")] = 50,
    json: Json = False,
) -> None:
    """Sessions, newest first. One without a title goes by its first prompt."""
    target = resolve_target(url=url, token_env=token_env)
    finish(_list_sessions(target, store, search=search, limit=limit, as_json=json))


@sessions_app.command("search", rich_help_panel=LOOK)
def _search(
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS...", help="All of them, in any order.")
    ],
    store: Store = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The newest of them.")] = 20,
    json: Json = False,
) -> None:
    """Prompts, messages and tool calls with all of these words, in a store; newest first."""
    finish(_search_store(store, " ".join(words), limit=limit, as_json=json))


@sessions_app.command("show", rich_help_panel=LOOK)
def _show(
    session: SessionName,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    json: Json = False,
) -> None:
    """A session as a conversation."""
    target = resolve_target(url=url, token_env=token_env)
    finish(_show_session(target, store, session, as_json=json))


@sessions_app.command("events", rich_help_panel=LOOK)
def _events(
    session: SessionName,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    after: Annotated[
        int, typer.Option(min=0, metavar="SEQ", help="Only those with a greater seq.")
    ] = 0,
    tail: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the last N of them.", show_default=False),
    ] = None,
    deltas: Deltas = True,
    json: Json = False,
) -> None:
    """A session's events so far."""
    target = resolve_target(url=url, token_env=token_env)
    shown = _show_events(
        target, store, session, after=after, tail=tail, deltas=deltas, as_json=json
    )
    finish(shown)


@sessions_app.command("export", rich_help_panel=LOOK)
def _export(
    session: SessionName,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    format: Annotated[
        ExportFormat,
        typer.Option(
            help="To read; all events, a line of JSON each; or for others: ATIF, Inspect. Credentials are masked, but in events."
        ),
    ] = ExportFormat.MARKDOWN,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Instead of the standard output. Written over.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """A session as a text to keep, or to send to somebody."""
    target = resolve_target(url=url, token_env=token_env)
    finish(_export_session(target, store, session, format=format, output=output))


add_turns_command(sessions_app, panel=LOOK)

add_watch_command(sessions_app, panel=LOOK)
add_steering_commands(sessions_app, panel=STEER)


@sessions_app.command("delete", rich_help_panel=STEER)
def _delete(
    sessions: SessionNames,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    store: Store = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End sessions and delete all that was said in them. There is no way back."""
    target = resolve_target(url=url, token_env=token_env)
    which = sessions[0] if len(sessions) == 1 else f"{len(sessions)} sessions"
    if not yes and not confirmed(f"Delete {which} for good?", otherwise="--yes deletes"):
        raise typer.Exit(int(ExitCode.USAGE))
    finish(_delete_sessions(target, store, sessions))


add_long_work_commands(sessions_app, panel=CHANGE)


async def _list_sessions(
    target: Target, store: str | None, *, search: str | None, limit: int, as_json: bool
) -> None:
    async with open_archives(target, store=store) as archives:
        found = [row for archive in archives for row in await archive.found(limit, search=search)]
    rows = sorted(found, key=lambda row: datetime.fromisoformat(row.created_at), reverse=True)
    if as_json:
        for row in rows[:limit]:
            print(json_module.dumps(row.to_wire()))
        return
    if not rows:
        print(f"No session has {search!r} in it." if search else "No sessions yet.")
        return
    print_table(
        ("id", "agent", "status", "created", "directory", "title"),
        [_cells(row) for row in rows[:limit]],
    )


async def _search_store(store: str | None, words: str, *, limit: int, as_json: bool) -> None:
    async with open_stored(store) as opened:
        if not isinstance(opened, SupportsSearch):
            raise InvalidRequest(f"The store {shown_store(store or '')!r} has no search.")
        hits = await opened.search(words, limit=limit)
    for hit in hits:
        if as_json:
            found = {"id": hit.session.id, "seq": hit.seq, "excerpt": hit.excerpt}
            print(json_module.dumps(found))
        else:
            print(plain(f"{hit.session.id}  {hit.seq:>6}  {hit.excerpt}"))
    if not hits and not as_json:
        print(f"Nothing has {words!r} in it.")


def _cells(row: Row) -> tuple[str, ...]:
    when = f"{datetime.fromisoformat(row.created_at).astimezone():%Y-%m-%d %H:%M}"
    prompt = textwrap.shorten(row.first_prompt or "", PROMPT_CHARS, placeholder=" …")
    return (row.id, row.agent, row.status, when, row.cwd or "", row.title or prompt)


async def _show_session(target: Target, store: str | None, name: str, *, as_json: bool) -> None:
    async with open_archives(target, store=store) as archives:
        place = await place_of(archives, name)
        transcript = await place.archive.transcript(place.id)
    if as_json:
        print(json_module.dumps(transcript.to_wire()))
    else:
        show_transcript(transcript, Console(highlight=False))


async def _export_session(
    target: Target, store: str | None, name: str, *, format: ExportFormat, output: Path | None
) -> None:
    async with open_archives(target, store=store) as archives:
        place = await place_of(archives, name)
        if format is ExportFormat.MARKDOWN:
            text = render_markdown(await place.archive.transcript(place.id))
        elif format is ExportFormat.JSONL:
            text = await place.archive.event_texts(place.id)
        else:
            export = SessionExport()
            async for event in place.archive.events(place.id, 0):
                export.apply(event)
            if format is ExportFormat.ATIF:
                write_atif(export, output)
            else:
                write_inspect(export.inspect(), output)
            return
    write_export(text.encode("utf-8"), output)


async def _show_events(
    target: Target,
    store: str | None,
    name: str,
    *,
    after: int,
    tail: int | None,
    deltas: bool,
    as_json: bool,
) -> None:
    console = Console(highlight=False)
    async with open_archives(target, store=store) as archives:
        place = await place_of(archives, name)
        async for event in place.archive.events(place.id, after, deltas=deltas, tail=tail):
            if as_json:
                print(json_module.dumps(event.to_wire()))
            else:
                console.print(plain(_line(event)), markup=False, soft_wrap=True)


async def _delete_sessions(target: Target, store: str | None, names: Sequence[str]) -> ExitCode:
    """One that cannot be deleted does not stop the others."""
    code = ExitCode.OK
    async with open_archives(target, store=store) as archives:
        for name in names:
            try:
                place = await place_of(archives, name)
                await place.archive.delete(place.id)
            except SandboxAgentError as exc:
                print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
                code = of_error(exc)
            else:
                print(f"deleted {place.id}", file=sys.stderr)
    return code


def _line(event: Event) -> str:
    data = json_module.dumps(event.to_wire()["data"], ensure_ascii=False)
    short = data if len(data) <= 160 else data[:159] + "…"
    return f"{event.seq:>6}  {event.time.astimezone():%H:%M:%S}  {event.type:<22} {short}"
