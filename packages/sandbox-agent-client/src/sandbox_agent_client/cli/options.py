"""Options and arguments that several commands take, so that they are called and explained alike."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox_agent_client.cli.completion import complete_sessions
from sandbox_agent_client.cli.variables import TOKEN_VARIABLE, URL_VARIABLE

__all__ = [
    "TOKEN_VARIABLE",
    "URL_VARIABLE",
    "Deltas",
    "Json",
    "SessionName",
    "SessionNames",
    "Store",
    "TokenEnv",
    "Url",
    "Yes",
]

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help=f"A server that runs. Default: ${URL_VARIABLE}, then that of `server start`.",
        show_default=False,
    ),
]
TokenEnv = Annotated[
    str,
    typer.Option("--token-env", help="The variable that holds the server's token.", metavar="NAME"),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="A store (postgresql://…) or the file of one, instead of that of `run`.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Allow everything the agent asks for.")]
Deltas = Annotated[bool, typer.Option(help="Also pieces that are repeated whole.")]
SessionName = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help="Its id, the beginning of it, or its title.",
        autocompletion=complete_sessions,
    ),
]
SessionNames = Annotated[
    list[str],
    typer.Argument(
        metavar="SESSION...",
        help="Their ids, the beginnings of them, or their titles.",
        autocompletion=complete_sessions,
    ),
]
