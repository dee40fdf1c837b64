"""The command line: options in, an exit status out."""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from sandbox_agent_core.ids import is_session_id
from sandbox_agent_core.surrogates import has_halves

from sandbox_agent_client.cli import agents as agent_commands
from sandbox_agent_client.cli import sessions as session_commands
from sandbox_agent_client.cli.assignments import (
    agent_options,
    base_urls,
    environment,
    provider_options,
)
from sandbox_agent_client.cli.credentials import credentials_app
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.long_work import add_long_work_commands
from sandbox_agent_client.cli.plugins import add_plugin_commands
from sandbox_agent_client.cli.prompt_argument import PromptCommand, read_prompt
from sandbox_agent_client.cli.run import RunOptions, run
from sandbox_agent_client.cli.sandboxes import sandboxes_app
from sandbox_agent_client.cli.target import TOKEN_VARIABLE, Target, resolve_target
from sandbox_agent_client.cli.terminal import confirmed
from sandbox_agent_client.cli.tokens import tokens_app
from sandbox_agent_client.cli.wheelhouse import wheelhouse_app

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
agents_app = typer.Typer(
    help="The agents that can be run, installed or not; `install` one.",
    invoke_without_command=True,
)
app.add_typer(sessions_app, name="sessions")
app.add_typer(agents_app, name="agents")
app.add_typer(credentials_app, name="credentials")
app.add_typer(sandboxes_app, name="sandboxes")
app.add_typer(tokens_app, name="tokens")
app.add_typer(wheelhouse_app, name="wheelhouse")

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
AskThere = Annotated[
    str | None, typer.Option("--sandbox", help="Ask there. Default: local.", show_default=False)
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


@app.command("run", epilog=EXIT_HELP, cls=PromptCommand)
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
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="KEY=VALUE",
            help="An option of the sandbox's provider, such as image=…. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    wheelhouse: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For a sandbox without network: see `wheelhouse build`.",
            show_default=False,
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
    add_dir: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Another directory that the agent works in, as in its own. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(show_default=False)] = None,
    mode: Annotated[str | None, typer.Option(show_default=False)] = None,
    agent_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What only this agent has, such as max_turns=5; or an object in JSON. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For the agent's environment; without a value, from this one. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    inherit_env: Annotated[
        bool,
        typer.Option(
            "--inherit-env/--no-inherit-env",
            help="On this machine: whether the agent gets the environment of this terminal, or only what "
            'it cannot do without. `-o \'inherit_env=["GH_TOKEN","AWS_*"]\'` names more.',
        ),
    ] = True,
    confine: Annotated[
        bool,
        typer.Option(
            "--confine",
            help="On this machine: keep the agent to its directory, with bubblewrap. `-o 'confine={...}'` says "
            "more (home, network, writable, readable).",
        ),
    ] = False,
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PROVIDER=]URL",
            help="Where its model requests go. Repeat for more providers.",
            show_default=False,
        ),
    ] = None,
    trust_workspace: Annotated[
        bool | None,
        typer.Option(
            "--trust-workspace/--no-trust-workspace",
            help="Run hooks, plugins and MCP programs of the workspace. Default: no on this machine, yes "
            "in a sandbox.",
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
    wait_for_background: Annotated[
        bool,
        typer.Option(
            "--wait-for-background/--no-wait-for-background",
            help="Wait for commands and sub-agents that the agent leaves running, and for what it does by "
            "itself when they end.",
        ),
    ] = True,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="Then cancel it all.", show_default=False),
    ] = None,
) -> None:
    """Give an agent one prompt and watch it work. Ctrl-C cancels it, again leaves."""
    if session is not None and not is_session_id(session):
        raise typer.BadParameter(f"{session!r} is not a session id")
    options_of_provider = provider_options(option or [])
    if not inherit_env:
        options_of_provider.setdefault("inherit_env", False)
    if confine:
        options_of_provider.setdefault("confine", True)
    target = resolve_target(
        url=url,
        sandbox=sandbox,
        token_env=token_env,
        options=options_of_provider,
        wheelhouse=wheelhouse,
    )
    options = RunOptions(
        prompt=read_prompt(prompt),
        target=target,
        agent=agent,
        cwd=_directory(cwd, target, is_new=session is None),
        additional_directories=[
            str(_directory(directory, target, is_new=True)) for directory in add_dir or []
        ],
        model=model,
        mode=mode,
        agent_options=agent_options(agent_option or []),
        env=environment(env or []),
        base_url=base_urls(base_url or []),
        trust_workspace=trust_workspace,
        session_id=session,
        allow_all=yes,
        as_json=json,
        wait_for_background=wait_for_background,
        timeout_s=timeout,
    )
    finish(run(options))


@agents_app.callback()
def agents_list(
    context: typer.Context,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    sandbox: AskThere = None,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        target = resolve_target(url=url, sandbox=sandbox, token_env=token_env)
        finish(agent_commands.list_agents(target, as_json=json))


@agents_app.command("install")
def agents_install(
    agent: Annotated[str, typer.Argument(help="Its name, as `agents` lists it.")],
    version: Annotated[
        str | None,
        typer.Option(
            help="A version, or a tag such as latest. Default: the tested one.", show_default=False
        ),
    ] = None,
    reinstall: Annotated[bool, typer.Option("--reinstall", help="Also when it is there.")] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    sandbox: AskThere = None,
    json: Json = False,
) -> None:
    """Install an agent where the server is."""
    target = resolve_target(url=url, sandbox=sandbox, token_env=token_env)
    finish(
        agent_commands.install_agent(
            target, agent, version=version, reinstall=reinstall, as_json=json
        )
    )


@sessions_app.command("list")
def sessions_list(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    limit: Annotated[int, typer.Option(min=1, help="The newest of them.")] = 50,
    json: Json = False,
) -> None:
    """Sessions, newest first."""
    target = resolve_target(url=url, sandbox=None, token_env=token_env)
    finish(session_commands.list_sessions(target, limit=limit, as_json=json))


@sessions_app.command("show")
def sessions_show(
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """A session as a conversation."""
    target = resolve_target(url=url, sandbox=None, token_env=token_env)
    finish(session_commands.show_session(target, session_id, as_json=json))


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
    target = resolve_target(url=url, sandbox=None, token_env=token_env)
    finish(
        session_commands.show_events(target, session_id, after=after, deltas=deltas, as_json=json)
    )


@sessions_app.command("delete")
def sessions_delete(
    session_ids: Annotated[list[str], typer.Argument(metavar="ID")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End sessions and delete all that was said in them. There is no way back."""
    target = resolve_target(url=url, sandbox=None, token_env=token_env)
    which = session_ids[0] if len(session_ids) == 1 else f"{len(session_ids)} sessions"
    if not yes and not confirmed(f"Delete {which} for good?", otherwise="--yes deletes"):
        raise typer.Exit(int(ExitCode.USAGE))
    finish(session_commands.delete_sessions(target, session_ids))


add_long_work_commands(sessions_app)


def _directory(cwd: str | None, target: Target, *, is_new: bool) -> str | None:
    """On this machine relative paths count from here; elsewhere the path is the sandbox's."""
    if not target.is_local:
        return cwd
    if cwd is None and not is_new:
        return None
    try:
        path = Path(cwd or ".").expanduser().absolute()
    except (OSError, RuntimeError) as exc:
        raise typer.BadParameter(f"there is no such directory: {exc}") from exc
    if not path.is_dir():
        raise typer.BadParameter(f"{cwd!r} is not a directory")
    if has_halves(str(path)):
        raise typer.BadParameter(
            f"the name of {str(path)!r} is not UTF-8, so no agent can be told it: use another --cwd"
        )
    return str(path)


def main() -> None:
    # Agents write what they like; a terminal that cannot show it shows something else.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    add_plugin_commands(app)
    app(prog_name="sandbox-agent")
