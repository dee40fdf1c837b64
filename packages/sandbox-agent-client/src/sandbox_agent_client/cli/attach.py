"""`sandbox-agent attach`: at a server that runs somewhere, see what goes on, pick a session, and take part in it."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.answering import described
from sandbox_agent_client.cli.archive import ServerArchive, place_of
from sandbox_agent_client.cli.chat import chat_in
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.completion import complete_agents, complete_sessions
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.install_bar import InstallBar
from sandbox_agent_client.cli.opening import DEFAULT_AGENT
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Yes
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server
from sandbox_agent_client.cli.terminal import is_terminal, read_line
from sandbox_agent_client.cli.watching import Onlooker
from sandbox_agent_client.errors import SandboxAgentError, TokenInvalid

__all__ = ["add_attach_command"]

MAX_OFFERED = 20
"""Sessions to pick from: the newest that have not ended."""


def add_attach_command(app: Commands, *, panel: str) -> None:
    app.command("attach", epilog=EXIT_HELP, rich_help_panel=panel)(_attach)


def _attach(
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="The server. Default: $SANDBOX_AGENT_URL, then that of `server start`.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="SESSION",
            help="Its id, the beginning of it, or its title. Default: you are asked.",
            show_default=False,
            autocompletion=complete_sessions,
        ),
    ] = None,
    agent: Annotated[
        str,
        typer.Option(metavar="NAME", help="Of a new session.", autocompletion=complete_agents),
    ] = DEFAULT_AGENT,
    yes: Yes = False,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Take part in the sessions of a server: watch, answer, prompt. Leaving ends nothing there.

    The token is asked for when no variable has it. Through ssh: `ssh -L 2468:127.0.0.1:2468 HOST`, then
    `sandbox-agent attach http://127.0.0.1:2468`.
    """
    target = resolve_server(url, token_env)
    finish(_take_part(target, session, agent=agent, allow_all=yes))


async def _take_part(target: Target, name: str | None, *, agent: str, allow_all: bool) -> ExitCode:
    screen = Onlooker(asks=is_terminal())
    async with (await _with_token(target)).open() as client:
        if name is not None:
            place = await place_of([ServerArchive(client)], name)
            session = await client.get_session(place.id)
        else:
            session = await _picked(client, screen, agent=agent)
        return await chat_in(session, screen, allow_all=allow_all)


async def _with_token(target: Target) -> Target:
    """Asked of the person, when the server wants one and no variable has it."""
    if target.token is not None or not is_terminal():
        return target
    try:
        async with target.open():
            return target
    except TokenInvalid:
        token = getpass.getpass(f"Token of {target.url}: ", stream=sys.stderr)
        return Target(url=target.url, token=token.strip(), is_daemon=target.is_daemon)


async def _picked(client: SandboxAgent, screen: Onlooker, *, agent: str) -> Session:
    """Raises: typer.BadParameter: there are several, and nobody can be asked."""
    sessions = [one for one in await client.list_sessions() if one.info.status != "ended"]
    offered = sessions[:MAX_OFFERED]
    waiting = await client.requests()
    rows = []
    for number, one in enumerate(offered, 1):
        asked = [described(request) for request in waiting if request.session_id == one.id]
        about = f"asks: {'; '.join(asked)}" if asked else one.info.title or ""
        rows.append((str(number), one.id, one.info.agent, one.info.status, about))
    if not is_terminal():
        if len(offered) == 1:
            return offered[0]
        raise typer.BadParameter(f"which one of {len(sessions)} sessions? give --session")
    if rows:
        print_table(("", "id", "agent", "status", ""), rows)
    while True:
        numbers = f"1 to {len(rows)}, or " if rows else ""
        screen.question(f"Which session ({numbers}n for a new one of {plain(agent)})? ")
        answer = await read_line(0)
        if answer is None:
            raise typer.Exit(int(ExitCode.CANCELLED))
        if answer.lower() in {"n", "new"}:
            try:
                with InstallBar() as bar:
                    return await client.create_session(agent, on_install=bar.show)
            except SandboxAgentError as exc:
                screen.remark(exc.message, "red")
        elif answer.isdecimal() and 1 <= int(answer) <= len(offered):
            return offered[int(answer) - 1]
