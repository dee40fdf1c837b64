"""`sandbox-agent ports`: what listens where a server runs, and the way there."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated

import typer

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server

__all__ = ["ports_app"]

ports_app = Commands(help="Ports on which something listens where a server runs.")


@ports_app.command("list")
def list_command(url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE, json: Json = False) -> None:
    """What listens, and which program it is."""
    finish(_list(resolve_server(url, token_env), as_json=json))


@ports_app.command("open")
def open_command(
    port: Annotated[int, typer.Argument(min=1, max=65535, metavar="PORT", help="Its number.")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Print a URL at which a browser reaches the port, through the server. Open it within five minutes."""
    finish(_open(resolve_server(url, token_env), port))


async def _list(target: Target, *, as_json: bool) -> None:
    async with target.open() as client:
        ports = await client.ports.list()
    if as_json:
        for one in ports:
            print(json_module.dumps(one.model_dump(mode="json", by_alias=True, exclude_none=True)))
    elif ports:
        rows = [
            (
                str(one.port),
                one.address,
                str(one.pid or ""),
                "this server" if one.is_server else one.program or "",
            )
            for one in ports
        ]
        print_table(("port", "address", "pid", "program"), rows)
    else:
        print("Nothing listens.")


async def _open(target: Target, port: int) -> None:
    async with target.open() as client:
        found = await client.ports.url(port)
    print(found.url)
    if found.headers:
        names = ", ".join(found.headers)
        print(f"sandbox-agent: warning: its gateway also wants {names}", file=sys.stderr)
