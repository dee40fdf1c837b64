"""`sandbox-agent agents`: which there are, and installing one where the server is."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated

import typer
from sandbox_agent_core.api.agents import InstallResult

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.install_bar import InstallBar
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_target

__all__ = ["agents_app"]

agents_app = Commands(
    help="The agents that can be run, installed or not; `install` one.",
    invoke_without_command=True,
)
AskThere = Annotated[
    str | None,
    typer.Option(
        "--sandbox", metavar="NAME", help="Ask there. Default: local.", show_default=False
    ),
]


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
        finish(_list_agents(target, as_json=json))


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
    finish(_install_agent(target, agent, version=version, reinstall=reinstall, as_json=json))


async def _list_agents(target: Target, *, as_json: bool) -> None:
    async with target.open() as client:
        agents = await client.list_agents()
    if as_json:
        for agent in agents:
            print(
                json_module.dumps(agent.model_dump(mode="json", by_alias=True, exclude_none=True))
            )
        return
    rows = []
    for agent in agents:
        state = "installed" if agent.installed else "not installed"
        note = "" if agent.installed else agent.install_hint or ""
        rows.append((agent.id, state, agent.version or "", note))
    print_table(("agent", "", "version", ""), rows)


async def _install_agent(
    target: Target, agent: str, *, version: str | None, reinstall: bool, as_json: bool
) -> None:
    """The progress goes to stderr, the result to stdout."""
    async with target.open() as client:
        with InstallBar() as bar:
            result = await client.install_agent(
                agent, version, reinstall=reinstall, on_progress=bar.show
            )
    if as_json:
        print(json_module.dumps(result.model_dump(mode="json", by_alias=True, exclude_none=True)))
        return
    print(plain(_sentence(agent, result)))
    if result.note:
        print(plain(result.note), file=sys.stderr)


def _sentence(agent: str, result: InstallResult) -> str:
    said = "is there already" if result.already_installed else "installed"
    name = " ".join(filter(None, (agent, result.version)))
    return f"{name} {said}: {result.path}" if result.path else f"{name} {said}"
