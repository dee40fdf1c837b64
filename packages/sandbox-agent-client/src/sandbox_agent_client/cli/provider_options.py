"""Which providers a command of `sandboxes` asks, and how it names one sandbox."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from sandbox_agent_core.spi.provider import SandboxProvider

from sandbox_agent_client.cli.assignments import provider_options
from sandbox_agent_client.cli.completion import complete_providers
from sandbox_agent_client.cli.exit_codes import of_error
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.plugins import find_provider, installed_providers

__all__ = ["Options", "Provider", "SandboxId", "SandboxName", "chosen_providers"]

Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Only this one. Default: all that are installed.",
        show_default=False,
        autocompletion=complete_providers,
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="KEY=VALUE",
        help="An option of the --provider. Repeat for more.",
        show_default=False,
    ),
]
SandboxName = Annotated[
    str | None,
    typer.Option(
        "--sandbox",
        metavar="ID",
        help="Only this sandbox: its id, the beginning of it, or its name.",
        show_default=False,
    ),
]
SandboxId = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, the beginning of it, or its name.")
]


def chosen_providers(name: str | None, option: list[str] | None) -> list[SandboxProvider]:
    """All that can be loaded; the named one has to be.

    Raises:
        typer.Exit, typer.BadParameter: it is not, or refuses the options.
    """
    options = provider_options(option or [])
    if options and name is None:
        raise typer.BadParameter("--option is for one --provider")
    found = []
    for candidate in [name] if name is not None else installed_providers():
        try:
            found.append(find_provider(candidate, options))
        except SandboxAgentError as exc:
            print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
            if name is not None:
                raise typer.Exit(int(of_error(exc))) from exc
    return found
