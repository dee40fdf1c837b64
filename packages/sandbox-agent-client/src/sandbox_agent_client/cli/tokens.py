"""`sandbox-agent tokens`: who may call a server besides its owner, and what they may do."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated

import typer
from sandbox_agent_core.api.base import ResponseBody
from sandbox_agent_core.api.tokens import TOKEN_SCOPES, TokenScope

from sandbox_agent_client.cli.assignments import duration
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server

__all__ = ["tokens_app"]

tokens_app = Commands(
    help="Tokens of a server that runs: each in somebody's name, for what that one may do.",
)


@tokens_app.command("create")
def create_command(
    actor: Annotated[str, typer.Argument(help="In whose name it answers, such as `ada`.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="read: only look. prompt: make and prompt sessions. answer: allow and deny. "
            "admin: everything. Repeat for more.",
        ),
    ],
    expires_in: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="As 30m, 24h or 7d. Default: until it is revoked."),
    ] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """Make a token. It is printed once and kept nowhere."""
    seconds = duration(expires_in).total_seconds() if expires_in is not None else None
    finish(_create(resolve_server(url, token_env), actor, _scopes(scope), seconds, as_json=json))


@tokens_app.command("list")
def list_command(url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE, json: Json = False) -> None:
    """The tokens that are valid, without their text."""
    finish(_list(resolve_server(url, token_env), as_json=json))


@tokens_app.command("revoke")
def revoke_command(
    ids: Annotated[list[str], typer.Argument(metavar="ID")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Refuse them from now on, and end the streams that they opened."""
    finish(_revoke(resolve_server(url, token_env), ids))


async def _create(
    target: Target, actor: str, scopes: list[TokenScope], seconds: float | None, *, as_json: bool
) -> None:
    async with target.open() as client:
        made = await client.create_token(actor, scopes, expires_in=seconds)
    if as_json:
        _print_json(made)
        return
    until = f", until {made.expires_at}" if made.expires_at else ""
    remark = f"{made.id}: {actor} may {', '.join(made.scopes)}{until}. Shown only this once:"
    print(plain(remark), file=sys.stderr, flush=True)
    print(made.token)


async def _list(target: Target, *, as_json: bool) -> None:
    async with target.open() as client:
        tokens = await client.list_tokens()
    if as_json:
        for token in tokens:
            _print_json(token)
    elif tokens:
        rows = [
            (one.id, one.actor, ", ".join(one.scopes), one.created_at, one.expires_at or "never")
            for one in tokens
        ]
        print_table(("id", "actor", "may", "created", "expires"), rows)
    else:
        print("No tokens besides the server's own.")


async def _revoke(target: Target, ids: list[str]) -> None:
    async with target.open() as client:
        for id in ids:
            await client.revoke_token(id)


def _scopes(named: list[str]) -> list[TokenScope]:
    """Raises: typer.BadParameter."""
    if unknown := [name for name in named if name not in TOKEN_SCOPES]:
        raise typer.BadParameter(f"--scope {unknown[0]!r}: use {', '.join(TOKEN_SCOPES)}")
    return [scope for scope in TOKEN_SCOPES if scope in named]


def _print_json(body: ResponseBody) -> None:
    print(json_module.dumps(body.model_dump(mode="json", by_alias=True, exclude_none=True)))
