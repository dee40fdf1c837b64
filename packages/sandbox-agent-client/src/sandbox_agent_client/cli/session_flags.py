"""Which session a command works in and where that is: the options that `run` and `chat` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sandbox_agent_core.ids import is_session_id
from sandbox_agent_core.surrogates import has_halves

from sandbox_agent_client.cli.assignments import (
    agent_options,
    base_urls,
    environment,
    provider_options,
)
from sandbox_agent_client.cli.completion import (
    complete_agents,
    complete_providers,
    complete_sessions,
)
from sandbox_agent_client.cli.flags import takes_flags
from sandbox_agent_client.cli.opening import Wanted
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Url
from sandbox_agent_client.cli.target import Target, resolve_target
from sandbox_agent_client.cli.workspace import Repo, WorkspaceFile, workspace_of

__all__ = ["SessionFlags", "takes_session_flags"]


@dataclass(frozen=True, kw_only=True)
class SessionFlags:
    sandbox: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the agent runs: local, docker, e2b, … Default: local.",
            show_default=False,
            autocompletion=complete_providers,
        ),
    ] = None
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="KEY=VALUE",
            help="An option of the sandbox's provider, such as image=…. Repeat for more.",
            show_default=False,
        ),
    ] = None
    wheelhouse: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For a sandbox without network: see `wheelhouse build`.",
            show_default=False,
        ),
    ] = None
    repo: Repo = None
    workspace: WorkspaceFile = None
    url: Url = None
    token_env: TokenEnv = TOKEN_VARIABLE
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="claude, codex, mock, … Default: claude.",
            show_default=False,
            autocompletion=complete_agents,
        ),
    ] = None
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="SESSION",
            help="Go on with it: its id, the beginning of it, or its title.",
            show_default=False,
            autocompletion=complete_sessions,
        ),
    ] = None
    create: Annotated[
        bool, typer.Option("--create", help="Make the --session when there is none of that id.")
    ] = False
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the session is kept, and found by --session: a store (postgresql://…) or the file of one. "
            "Default: that of this machine.",
            show_default=False,
        ),
    ] = None
    cwd: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The agent's directory, in the sandbox. Default on this machine: the current one.",
            show_default=False,
        ),
    ] = None
    add_dir: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Another directory that the agent works in, as in its own. Repeat for more.",
            show_default=False,
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One that the agent offers.", show_default=False),
    ] = None
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="ask, accept-edits, read-only, plan, bypass, or one of the agent's own.",
            show_default=False,
        ),
    ] = None
    agent_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What only this agent has, such as max_turns=5; or an object in JSON. Repeat for more.",
            show_default=False,
        ),
    ] = None
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For the agent's environment; without a value, from this one. Repeat for more.",
            show_default=False,
        ),
    ] = None
    inherit_env: Annotated[
        bool,
        typer.Option(
            "--inherit-env/--no-inherit-env",
            help="On this machine: whether the agent gets the environment of this terminal, or only what "
            'it cannot do without. `-o \'inherit_env=["GH_TOKEN","AWS_*"]\'` names more.',
        ),
    ] = True
    confine: Annotated[
        bool,
        typer.Option(
            "--confine",
            help="On this machine: keep the agent to its directory, with bubblewrap. `-o 'confine={...}'` says "
            "more (home, network, writable, readable).",
        ),
    ] = False
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PROVIDER=]URL",
            help="Where its model requests go. Repeat for more providers.",
            show_default=False,
        ),
    ] = None
    trust_workspace: Annotated[
        bool | None,
        typer.Option(
            "--trust-workspace/--no-trust-workspace",
            help="Run hooks, plugins and MCP programs of the workspace. Default: no on this machine, yes "
            "in a sandbox.",
            show_default=False,
        ),
    ] = None

    def wanted(self) -> Wanted:
        """Raises: typer.BadParameter."""
        if self.create and (self.session is None or not is_session_id(self.session)):
            given = "a --session" if self.session is None else f"{self.session!r}, which is"
            raise typer.BadParameter(
                f"--create takes {given} {'ID' if self.session is None else 'not a session id'}"
            )
        target = self._target()
        is_new = self.session is None
        return Wanted(
            target=target,
            session=self.session,
            may_create=self.create,
            agent=self.agent,
            cwd=_directory(self.cwd, target, is_new=is_new and target.workspace is None),
            additional_directories=[
                str(_directory(directory, target, is_new=True)) for directory in self.add_dir or []
            ],
            model=self.model,
            mode=self.mode,
            agent_options=agent_options(self.agent_option or []),
            env=environment(self.env or []),
            base_url=base_urls(self.base_url or []),
            trust_workspace=self.trust_workspace,
        )

    def _target(self) -> Target:
        options = provider_options(self.option or [])
        if not self.inherit_env:
            options.setdefault("inherit_env", False)
        if self.confine:
            options.setdefault("confine", True)
        return resolve_target(
            url=self.url,
            sandbox=self.sandbox,
            token_env=self.token_env,
            options=options,
            wheelhouse=self.wheelhouse,
            workspace=workspace_of(self.repo, self.workspace),
            store=self.store,
        )


takes_session_flags = takes_flags(SessionFlags)


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
