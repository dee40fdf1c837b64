"""`sandbox-agent requests`: all that agents wait for, over the sessions of a server, and the answers."""

from __future__ import annotations

import json as json_module
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.answering import Asked, described, pick, respond
from sandbox_agent_client.cli.assignments import span
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server, resolve_target

__all__ = ["requests_app", "waiting_at"]

requests_app = Commands(
    help="What agents wait for, over all sessions of a server: list it, answer it.",
    invoke_without_command=True,
)
Id = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="Or the beginning of it. Default: the only one.", show_default=False
    ),
]
Message = Annotated[
    str | None,
    typer.Option("--message", "-m", metavar="TEXT", help="Why, for the agent.", show_default=False),
]


@requests_app.callback()
def _default(
    context: typer.Context,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        finish(_list_waiting(resolve_target(url=url, token_env=token_env), as_json=json))


@requests_app.command("list")
def _list(url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE, json: Json = False) -> None:
    """What waits now, oldest first."""
    finish(_list_waiting(resolve_target(url=url, token_env=token_env), as_json=json))


@requests_app.command("allow")
def _allow(
    id: Id = None,
    always: Annotated[
        bool, typer.Option("--always", help="Also the next of its kind in this session.")
    ] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Give a permission."""
    words = ["always" if always else "allow"]
    finish(_respond(resolve_server(url, token_env), id, words))


@requests_app.command("deny")
def _deny(
    id: Id = None, message: Message = None, url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE
) -> None:
    """Refuse a permission, or decline to answer a question."""
    finish(_respond(resolve_server(url, token_env), id, ["deny"], message=message))


@requests_app.command("answer")
def _answer(
    id: Annotated[str, typer.Argument(metavar="ID", help="Or the beginning of it.")],
    answers: Annotated[
        list[str],
        typer.Argument(
            metavar="ANSWER...",
            help="One for each question, by number or in words; several choices with commas.",
        ),
    ],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Answer the questions of a request."""
    finish(_respond(resolve_server(url, token_env), id, answers))


async def waiting_at(client: SandboxAgent) -> list[Asked]:
    """Oldest first."""
    asked = [
        (session, request)
        for session in await client.list_sessions()
        if session.info.pending_requests
        for request in await session.requests()
    ]
    return sorted(asked, key=lambda one: one[1].info.asked_at)


async def _list_waiting(target: Target, *, as_json: bool) -> None:
    asked: list[Asked] = []
    if target.url is not None:
        async with target.open() as client:
            asked = await waiting_at(client)
    if as_json:
        for session, request in asked:
            wire = request.info.model_dump(mode="json", by_alias=True, exclude_none=True)
            print(json_module.dumps({"sessionId": session.id, "agent": session.info.agent, **wire}))
        return
    if not asked:
        here = (
            "" if target.url is not None else " What `run` is asked, it asks at its own terminal."
        )
        print(f"Nothing waits for an answer.{here}")
        return
    now = datetime.now(UTC)
    rows = []
    for session, request in asked:
        since = span(now - datetime.fromisoformat(request.info.asked_at))
        left = span(datetime.fromisoformat(request.info.expires_at) - now)
        rows.append((request.id, session.id, session.info.agent, since, left, described(request)))
    print_table(("id", "session", "agent", "since", "left", "what"), rows)


async def _respond(
    target: Target, id: str | None, answers: list[str], *, message: str | None = None
) -> None:
    async with target.open() as client:
        asked = pick(await waiting_at(client), id)
        print(await respond(asked, answers, message=message), file=sys.stderr)
