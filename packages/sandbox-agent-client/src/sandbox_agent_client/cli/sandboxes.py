"""`sandbox-agent sandboxes`: what is there, over all providers, and getting rid of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from sandbox_agent_core.spi.labels import POOL
from sandbox_agent_core.spi.provider import (
    SandboxInfo,
    SandboxProvider,
    SupportsLogs,
    SupportsSnapshot,
    capabilities_of,
    require,
)

from sandbox_agent_client.cli.assignments import duration, span
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import Json
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import (
    Options,
    Provider,
    SandboxId,
    chosen_providers,
)
from sandbox_agent_client.cli.sandbox_life import add_sandbox_life_commands
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.terminal import confirmed
from sandbox_agent_client.errors import ProviderError, SandboxAgentError
from sandbox_agent_client.sandboxes.inventory import (
    Inventory,
    Item,
    age_of,
    destroy_all,
    is_orphan,
    name_of,
    take_inventory,
)
from sandbox_agent_client.sandboxes.preflight import preflight

__all__ = ["sandboxes_app"]

LOG_LINES = 200
DEFAULT_AGE = "24h"

sandboxes_app = Commands(help="The sandboxes that exist, of all installed providers.")

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Their ids, the beginnings of them, or their names."),
]


@sandboxes_app.command("list")
def list_command(provider: Provider = None, option: Options = None, json: Json = False) -> None:
    """Sandboxes of ours: those with the label `sandbox-agent`."""
    finish(_list(chosen_providers(provider, option), as_json=json))


@sandboxes_app.command("destroy")
def destroy_command(ids: Ids, provider: Provider = None, option: Options = None) -> None:
    """Remove sandboxes with everything in them."""
    finish(_destroy_by_id(chosen_providers(provider, option), ids))


@sandboxes_app.command("sweep")
def sweep_command(
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="As 90s, 30m, 24h or 7d.")
    ] = DEFAULT_AGE,
    kept: Annotated[
        bool, typer.Option("--kept", help="Also those that were started to stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    provider: Provider = None,
    option: Options = None,
    json: Json = False,
) -> None:
    """Remove sandboxes that nobody has removed: older than an age, and not started to stay."""
    age = duration(older_than)
    finish(
        _sweep(
            chosen_providers(provider, option),
            older_than=age,
            also_kept=kept,
            yes=yes,
            as_json=json,
        )
    )


@sandboxes_app.command("logs")
def logs_command(
    id: SandboxId,
    tail: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many of the last lines.")
    ] = LOG_LINES,
    provider: Provider = None,
    option: Options = None,
) -> None:
    """The log of the server in a sandbox."""
    finish(_logs(chosen_providers(provider, option), id, tail=tail))


@sandboxes_app.command("snapshot")
def snapshot_command(
    id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[
        str | None, typer.Option(help="To find it by. Default: made up.", show_default=False)
    ] = None,
    provider: Provider = None,
    option: Options = None,
) -> None:
    """Make an image of a sandbox's files, which others are made from. Prints its name; the sandbox runs on."""
    finish(_snapshot(chosen_providers(provider, option), id, name))


@sandboxes_app.command("check")
def check_command(provider: Provider = None, option: Options = None, json: Json = False) -> None:
    """Whether the providers can be used from here. Exit status 5: the --provider cannot."""
    finish(_check(chosen_providers(provider, option), as_json=json, must_work=provider is not None))


add_sandbox_life_commands(sandboxes_app)


async def _list(providers: Sequence[SandboxProvider], *, as_json: bool) -> None:
    inventory = await take_inventory(providers)
    _show([item.info for item in inventory.items], as_json=as_json)
    _tell_problems(inventory)
    _raise_single(inventory, providers)


async def _destroy_by_id(providers: Sequence[SandboxProvider], ids: Sequence[str]) -> ExitCode:
    inventory = await take_inventory(providers)
    _tell_problems(inventory)
    return await _destroy([inventory.find(id) for id in ids])


async def _sweep(
    providers: Sequence[SandboxProvider],
    *,
    older_than: timedelta,
    also_kept: bool,
    yes: bool,
    as_json: bool,
) -> ExitCode:
    inventory = await take_inventory(providers)
    _tell_problems(inventory)
    now = datetime.now(UTC)
    orphans = [
        item
        for item in inventory.items
        if is_orphan(item.info, now=now, older_than=older_than, also_kept=also_kept)
    ]
    if not orphans:
        if not as_json:
            print("nothing to remove", file=sys.stderr)
        return ExitCode.OK
    _show([item.info for item in orphans], as_json=as_json)
    if not yes and not confirmed(f"Remove {len(orphans)}?", otherwise="--yes removes them"):
        return ExitCode.USAGE
    return await _destroy(orphans)


async def _destroy(items: Sequence[Item]) -> ExitCode:
    code = ExitCode.OK

    def tell(item: Item, problem: SandboxAgentError | None) -> None:
        nonlocal code
        ref = item.info.ref
        if problem is None:
            print(f"removed {ref.provider} {ref.id}", file=sys.stderr)
        else:
            words = plain(problem.message)
            print(f"sandbox-agent: {ref.provider} {ref.id}: {words}", file=sys.stderr)
            code = ExitCode.SANDBOX

    await destroy_all(items, told=tell)
    return code


async def _logs(providers: Sequence[SandboxProvider], id: str, *, tail: int) -> None:
    inventory = await take_inventory(providers)
    item = inventory.find(id)
    provider = require(item.provider, SupportsLogs)
    print(plain(await provider.logs(item.info.ref, tail=tail)))


async def _snapshot(providers: Sequence[SandboxProvider], id: str, name: str | None) -> None:
    item = (await take_inventory(providers)).find(id)
    provider = require(item.provider, SupportsSnapshot)
    image = await provider.snapshot(item.info.ref, name=name)
    options = " ".join(f"--option {option}={value}" for option, value in image.options.items())
    print(f"start from it with: --sandbox {image.provider} {options}", file=sys.stderr)
    print(image.name)


async def _check(
    providers: Sequence[SandboxProvider], *, as_json: bool, must_work: bool
) -> ExitCode:
    rows = []
    all_ok = True
    for provider in providers:
        rows.append((provider.name, "", "can", str(capabilities_of(provider))))
        for check in (await preflight(provider)).checks:
            all_ok = all_ok and check.ok
            if as_json:
                facts = {"check": check.name, "ok": check.ok, "message": check.message}
                print(json.dumps({"provider": provider.name, **facts}))
            rows.append((provider.name, check.state, check.name, check.message))
    if not as_json:
        print_table(("provider", "", "check", ""), rows)
    return ExitCode.SANDBOX if must_work and not all_ok else ExitCode.OK


def _show(infos: Sequence[SandboxInfo], *, as_json: bool) -> None:
    if as_json:
        for info in infos:
            print(json.dumps(_wire(info)))
        return
    if not infos:
        print("No sandboxes.")
        return
    now = datetime.now(UTC)
    rows = []
    has_names = any(name_of(info.ref) for info in infos)
    for info in infos:
        shown = {
            name: value
            for name, value in info.labels.items()
            if name == POOL or "sandbox-agent" not in name
        }
        labels = " ".join(f"{name}={value}" for name, value in shown.items())
        age = "?" if (known := age_of(info, now)) is None else span(known)
        named = (name_of(info.ref),) if has_names else ()
        rows.append((info.ref.provider, info.ref.id, info.state, age, *named, labels))
    headers = ("provider", "id", "state", "age", *(("name",) if has_names else ()), "labels")
    print_table(headers, rows)


def _wire(info: SandboxInfo) -> dict[str, Any]:
    made = info.created_at
    return {
        "ref": info.ref.to_json(),
        "state": info.state,
        "createdAt": made.isoformat() if made is not None else None,
        "labels": dict(info.labels),
    }


def _tell_problems(inventory: Inventory) -> None:
    for name, problem in inventory.problems.items():
        print(f"sandbox-agent: {name}: {plain(problem.message)}", file=sys.stderr)


def _raise_single(inventory: Inventory, providers: Sequence[SandboxProvider]) -> None:
    """Asked for one provider, its failure is the command's."""
    if len(providers) == 1 and inventory.problems:
        (problem,) = inventory.problems.values()
        raise problem if isinstance(problem, ProviderError) else ProviderError(problem.message)
