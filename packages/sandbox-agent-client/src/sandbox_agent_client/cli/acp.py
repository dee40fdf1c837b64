"""`sandbox-agent acp`: an agent in a sandbox for an editor that starts ACP agents as programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.acp_bridge.bridge import bridge, rewriting
from sandbox_agent_client.cli import daemon
from sandbox_agent_client.cli.assignments import environment, provider_options
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.completion import complete_agents, complete_providers
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.opening import DEFAULT_AGENT
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.target import Target, resolve_target

__all__ = ["add_acp_command"]


def add_acp_command(app: Commands, *, panel: str) -> None:
    app.command("acp", rich_help_panel=panel)(_acp)


def _acp(
    agent: Annotated[
        str,
        typer.Option(metavar="NAME", help="claude, codex, mock, …", autocompletion=complete_agents),
    ] = DEFAULT_AGENT,
    sandbox: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the agent runs: docker, e2b, … Default: at the server of this machine, which is started "
            "when it does not run.",
            show_default=False,
            autocompletion=complete_providers,
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
    cwd: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The agent's directory, in the sandbox. Default: on this machine that of the editor's project, "
            "elsewhere the server's own.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One that the agent offers.", show_default=False),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="ask, accept-edits, read-only, plan, bypass, or one of the agent's own.",
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
) -> None:
    """Be an ACP agent on stdin and stdout, for editors: Zed, JetBrains, toad, …

    What the agent does happens in the sandbox. The editor does not notice when the connection is lost and comes back. Its
    sessions stay at a server that runs on, and can be loaded again; a sandbox that was made for them is gone at the end.
    Progress and errors go to stderr.
    """
    target = resolve_target(
        url=url,
        sandbox=sandbox,
        token_env=token_env,
        options=provider_options(option or []),
        wheelhouse=wheelhouse,
    )
    members = {"model": model, "mode": mode, "env": environment(env or [])}
    session = {name: value for name, value in members.items() if value}
    if target.is_local and cwd is not None:
        cwd = str(Path(cwd).expanduser().absolute())
    finish(_run(target, agent, cwd=cwd, session=session))


async def _run(target: Target, agent: str, *, cwd: str | None, session: dict[str, Any]) -> ExitCode:
    """Raises: SandboxAgentError."""
    # Whatever a library prints must not be taken for a message.
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with _leaving_on_signals(), outgoing, contextlib.suppress(asyncio.CancelledError):
        await bridge(
            _opened(target, _report),
            sys.stdin.fileno(),
            outgoing,
            agent=agent,
            rewrite=rewriting(cwd=cwd, is_local=target.is_local, session=session),
            report=_report,
        )
    return ExitCode.OK


@contextlib.asynccontextmanager
async def _opened(target: Target, report: Callable[[str], None]) -> AsyncIterator[SandboxAgent]:
    """A sandbox that was asked for is made. Else it is this machine's server: its sessions are there tomorrow, too."""
    if target == Target():
        found, is_new = await asyncio.to_thread(daemon.start, [], os.environ)
        if is_new:
            report(f"started the server of this machine at {found.url}")
        target = Target(url=found.url, token=found.token(), is_daemon=True)
    async with target.open(report=report) as client:
        yield client


def _report(text: str) -> None:
    print(f"sandbox-agent: {plain(text)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _leaving_on_signals() -> Any:
    """The sandbox that was made is destroyed on the way out."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
