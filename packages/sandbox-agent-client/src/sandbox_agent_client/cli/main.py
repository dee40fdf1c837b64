"""The command line: options in, an exit status out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sandbox_agent_core.ids import is_session_id

from sandbox_agent_client.cli import sessions as session_commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, of_error
from sandbox_agent_client.cli.places import TOKEN_VARIABLE, Place, resolve_place
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.run import RunOptions, run
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Run coding agents in sandboxes, watch and steer them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sessions_app = typer.Typer(
    help="What was said and done. Without --url: the sessions that `run` made on this machine.",
    no_args_is_help=True,
)
app.add_typer(sessions_app, name="sessions")

Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="A server that runs. Default: $SANDBOX_AGENT_URL.", show_default=False
    ),
]
TokenEnv = Annotated[
    str,
    typer.Option("--token-env", help="The variable that holds the server's token.", metavar="NAME"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sandbox-agent {version('sandbox-agent-client')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("run", epilog=EXIT_HELP)
def run_command(
    prompt: Annotated[
        str, typer.Argument(help="What the agent shall do; `-` reads it from stdin.")
    ],
    sandbox: Annotated[
        str | None,
        typer.Option(
            help="Where the agent runs: local, docker, e2b, … Default: local.", show_default=False
        ),
    ] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    agent: Annotated[
        str | None, typer.Option(help="claude, mock, … Default: claude.", show_default=False)
    ] = None,
    cwd: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The agent's directory, in the sandbox. Default on this machine: the current one.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(show_default=False)] = None,
    mode: Annotated[str | None, typer.Option(show_default=False)] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For the agent's environment; without a value, from this one. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Allow everything the agent asks for.")
    ] = False,
    json: Json = False,
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="ID", help="Go on with it, or make it.", show_default=False
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="SECONDS", help="Then cancel the turn.", show_default=False
        ),
    ] = None,
) -> None:
    """Give an agent one prompt and watch it work. Ctrl-C cancels the turn, again leaves."""
    if session is not None and not is_session_id(session):
        raise typer.BadParameter(f"{session!r} is not a session id")
    place = resolve_place(url=url, sandbox=sandbox, token_env=token_env)
    options = RunOptions(
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        place=place,
        agent=agent,
        cwd=_directory(cwd, place, is_new=session is None),
        model=model,
        mode=mode,
        env=_environment(env or []),
        session_id=session,
        allow_all=yes,
        as_json=json,
        timeout_s=timeout,
    )
    _finish(run(options))


@app.command("agents")
def agents_command(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    sandbox: Annotated[
        str | None, typer.Option(help="Ask there. Default: local.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """The agents that can be run, installed or not."""
    _finish(_agents(resolve_place(url=url, sandbox=sandbox, token_env=token_env), as_json=json))


@sessions_app.command("list")
def sessions_list(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    limit: Annotated[int, typer.Option(min=1, help="The newest of them.")] = 50,
    json: Json = False,
) -> None:
    """Sessions, newest first."""
    place = resolve_place(url=url, sandbox=None, token_env=token_env)
    _finish(session_commands.list_sessions(place, limit=limit, as_json=json))


@sessions_app.command("show")
def sessions_show(
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """A session as a conversation."""
    place = resolve_place(url=url, sandbox=None, token_env=token_env)
    _finish(session_commands.show_session(place, session_id, as_json=json))


@sessions_app.command("events")
def sessions_events(
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    after: Annotated[int, typer.Option(min=0, help="Only those with a greater seq.")] = 0,
    deltas: Annotated[bool, typer.Option(help="Also pieces that are repeated whole.")] = True,
    json: Json = False,
) -> None:
    """A session's events."""
    place = resolve_place(url=url, sandbox=None, token_env=token_env)
    _finish(
        session_commands.show_events(place, session_id, after=after, deltas=deltas, as_json=json)
    )


async def _agents(place: Place, *, as_json: bool) -> None:
    async with place.open() as client:
        agents = await client.list_agents()
    if as_json:
        for agent in agents:
            print(json.dumps(agent.model_dump(mode="json", by_alias=True, exclude_none=True)))
        return
    table = Table("agent", "", "version", "", box=None, pad_edge=False)
    for agent in agents:
        state = "installed" if agent.installed else "not installed"
        note = "" if agent.installed else agent.install_hint or ""
        table.add_row(*map(plain, (agent.id, state, agent.version or "", note)))
    Console(highlight=False).print(table)


def _directory(cwd: str | None, place: Place, *, is_new: bool) -> str | None:
    """On this machine relative paths count from here; elsewhere the path is the sandbox's."""
    if not place.is_local:
        return cwd
    if cwd is None:
        return str(Path.cwd()) if is_new else None
    path = Path(cwd).expanduser().absolute()
    if not path.is_dir():
        raise typer.BadParameter(f"{cwd!r} is not a directory")
    return str(path)


def _environment(items: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        name, has_value, value = item.partition("=")
        if not has_value:
            if name not in os.environ:
                raise typer.BadParameter(f"--env {name}: there is no such variable")
            value = os.environ[name]
        found[name] = value
    return found


def _finish(command: Coroutine[Any, Any, ExitCode | None]) -> None:
    """Raises: typer.Exit with the status that the outcome stands for."""
    try:
        code = asyncio.run(command) or ExitCode.OK
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        code = of_error(exc)
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = ExitCode.CANCELLED
    except BrokenPipeError:
        # The reader has left (`| head`). Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    raise typer.Exit(int(code))


def main() -> None:
    app(prog_name="sandbox-agent")
