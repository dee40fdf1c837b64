"""`sandbox-agent sandboxes create`, `show`, `env`, `url`, `pause`, `resume`: one sandbox from start to use."""

from __future__ import annotations

import json as json_module
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from sandbox_agent_core.spi.provider import (
    SandboxProvider,
    SupportsPause,
    SupportsPorts,
    capabilities_of,
    require,
)

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.assignments import environment, provider_options
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.completion import complete_agents, complete_providers
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import Json
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import (
    Options,
    Provider,
    SandboxId,
    chosen_providers,
)
from sandbox_agent_client.cli.variables import TOKEN_VARIABLE, URL_VARIABLE
from sandbox_agent_client.cli.workspace import Repo, WorkspaceFile, workspace_of
from sandbox_agent_client.sandboxes.inventory import Item, name_of, take_inventory
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_client.sandboxes.sandbox import revive
from sandbox_agent_client.workspace import Workspace

__all__ = ["add_sandbox_life_commands"]


def add_sandbox_life_commands(app: Commands) -> None:
    app.command("create")(_create)
    app.command("show")(_show)
    app.command("env")(_env)
    app.command("url")(_url)
    app.command("pause")(_pause)
    app.command("resume")(_resume)


def _create(
    provider: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER",
            help="local, docker, e2b, …",
            autocompletion=complete_providers,
        ),
    ] = LocalProvider.name,
    option: Options = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            "--agent",
            "-a",
            metavar="NAME",
            help="Install it while the sandbox is made. Repeat for more.",
            show_default=False,
            autocompletion=complete_agents,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For the server in it; without a value, from this environment. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="To find it again by. Repeat for more.", show_default=False
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
    repo: Repo = None,
    workspace: WorkspaceFile = None,
    json: Json = False,
) -> None:
    """Make a sandbox that stays until it is destroyed. Prints its id; --json its reference, for the SDK."""
    finish(
        _start(
            provider,
            provider_options(option or []),
            agents=agent or [],
            env=environment(env or []),
            labels=_labels(label or []),
            wheelhouse=wheelhouse,
            workspace=workspace_of(repo, workspace),
            as_json=json,
        )
    )


def _show(
    id: SandboxId, provider: Provider = None, option: Options = None, json: Json = False
) -> None:
    """What is known of a sandbox, and where its server answers. Its token is not shown: `env` has it."""
    finish(_tell(chosen_providers(provider, option), id, as_json=json))


def _env(id: SandboxId, provider: Provider = None, option: Options = None) -> None:
    """Lines for a shell, after which all commands work at the sandbox: `eval "$(sandbox-agent sandboxes env ID)"`.

    They have the token in them. Do not let them into a log.
    """
    finish(_export(chosen_providers(provider, option), id))


def _url(
    id: SandboxId,
    port: Annotated[
        int | None,
        typer.Argument(
            metavar="PORT",
            min=1,
            max=65535,
            help="Of a program in it. Default: its server's.",
            show_default=False,
        ),
    ] = None,
    provider: Provider = None,
    option: Options = None,
) -> None:
    """Where its server, or a program that listens in it, is reached from here."""
    finish(_print_url(chosen_providers(provider, option), id, port))


def _pause(id: SandboxId, provider: Provider = None, option: Options = None) -> None:
    """Stop using the processor; its files stay, and its processes where the provider can."""
    finish(_put_to_sleep(chosen_providers(provider, option), id))


def _resume(id: SandboxId, provider: Provider = None, option: Options = None) -> None:
    """Wake a paused or stopped sandbox, until its server runs."""
    finish(_wake(chosen_providers(provider, option), id))


async def _start(
    provider: str,
    options: Mapping[str, Any],
    *,
    agents: Sequence[str],
    env: Mapping[str, str],
    labels: Mapping[str, str],
    wheelhouse: Path | None,
    workspace: Workspace | None,
    as_json: bool,
) -> None:
    def report(step: str) -> None:
        print(plain(step), file=sys.stderr, flush=True)

    async with SandboxAgent.start(
        find_provider(provider, options),
        keep=True,
        agents=agents,
        env=env,
        labels=labels,
        wheelhouse=wheelhouse,
        workspace=workspace,
        report=report,
    ) as client:
        ref = client.sandbox.ref
    if as_json:
        print(json_module.dumps(ref.to_json()))
        return
    print(ref.id)
    if sys.stderr.isatty():
        print(f'Work in it: eval "$(sandbox-agent sandboxes env {ref.id})"', file=sys.stderr)


async def _tell(providers: Sequence[SandboxProvider], id: str, *, as_json: bool) -> None:
    item = await _find(providers, id)
    info = item.info
    url = None
    if info.state == "running":
        url = (await item.provider.endpoint(info.ref)).url
    facts: dict[str, Any] = {
        "ref": info.ref.to_json(),
        "state": info.state,
        "createdAt": info.created_at.isoformat() if info.created_at is not None else None,
        "url": url,
        "labels": dict(info.labels),
    }
    if as_json:
        print(json_module.dumps(facts))
        return
    rows = {
        "provider": info.ref.provider,
        "id": info.ref.id,
        "name": name_of(info.ref),
        "state": info.state,
        "created": facts["createdAt"],
        "url": url,
        "can": str(capabilities_of(item.provider)),
        "labels": " ".join(f"{name}={value}" for name, value in info.labels.items()),
    }
    for name, value in rows.items():
        if value:
            print(plain(f"{name:<9} {value}"))


async def _export(providers: Sequence[SandboxProvider], id: str) -> None:
    item = await _find(providers, id)
    endpoint = await item.provider.endpoint(item.info.ref)
    print(f"export {URL_VARIABLE}={shlex.quote(endpoint.url)}")
    print(f"export {TOKEN_VARIABLE}={shlex.quote(endpoint.token or '')}")
    if endpoint.headers:
        names = ", ".join(endpoint.headers)
        print(
            f"sandbox-agent: warning: its gateway also wants {names}, which only the SDK sends: "
            "SandboxAgent.start(ref=…)",
            file=sys.stderr,
        )


async def _print_url(providers: Sequence[SandboxProvider], id: str, port: int | None) -> None:
    item = await _find(providers, id)
    if port is None:
        print((await item.provider.endpoint(item.info.ref)).url)
    else:
        print(await require(item.provider, SupportsPorts).port_url(item.info.ref, port))


async def _put_to_sleep(providers: Sequence[SandboxProvider], id: str) -> None:
    item = await _find(providers, id)
    await require(item.provider, SupportsPause).pause(item.info.ref)
    print(f"paused {item.info.ref.provider} {item.info.ref.id}", file=sys.stderr)


async def _wake(providers: Sequence[SandboxProvider], id: str) -> None:
    item = await _find(providers, id)
    await revive(item.provider, item.info.ref)
    url = (await item.provider.endpoint(item.info.ref)).url
    print(f"resumed {item.info.ref.provider} {item.info.ref.id}: {url}", file=sys.stderr)


async def _find(providers: Sequence[SandboxProvider], id: str) -> Item:
    return (await take_inventory(providers)).find(id)


def _labels(given: Sequence[str]) -> dict[str, str]:
    """Raises: typer.BadParameter."""
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise typer.BadParameter(f"--label {wrong[0]!r}: use NAME=VALUE")
    return {name: value for name, _, value in pairs}
