"""Commands of other packages (`sandbox_agent_core.spi.command`). Their options are theirs to parse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer
from sandbox_agent_core.spi.command import GROUP
from sandbox_agent_core.spi.provider import Wheel

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.sandboxes.wheelhouse import load_wheelhouse
from sandbox_agent_client.sandboxes.wheels import server_wheels

__all__ = ["add_plugin_commands"]

_AS_THEY_ARE = {"allow_extra_args": True, "ignore_unknown_options": True}


@dataclass(frozen=True, slots=True)
class _Context:
    wheels: Callable[[], Sequence[Wheel]] = server_wheels
    load_wheelhouse: Callable[[Path], Sequence[Wheel]] = load_wheelhouse


def add_plugin_commands(
    app: Commands, points: Iterable[EntryPoint] | None = None, *, panel: str | None = None
) -> None:
    """Nothing of a plug-in is imported before its command is given."""
    given = entry_points(group=GROUP) if points is None else points
    found = {point.name: point for point in given}
    taken = {command.name for command in app.registered_commands}
    taken |= {group.name for group in app.registered_groups}
    for name in sorted(found.keys() - taken):
        # `--help` is the plug-in's own.
        app.command(
            name,
            context_settings=_AS_THEY_ARE,
            add_help_option=False,
            help=_help(found[name]),
            rich_help_panel=panel,
        )(_runner(found[name]))


def _help(point: EntryPoint) -> str:
    return f"A command of {point.dist.name if point.dist else 'a plug-in'}."


def _runner(point: EntryPoint) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        raise typer.Exit(point.load()(context.args, _Context()))

    return run
