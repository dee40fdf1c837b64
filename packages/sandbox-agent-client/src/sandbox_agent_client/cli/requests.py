"""`sandbox-agent requests`: all that agents wait for, over the sessions of a server, and the answers."""

from __future__ import annotations

import json as json_module
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.requests import AnyRequest
from sandbox_agent_client.cli.answering import described, pick, respond
from sandbox_agent_client.cli.assignments import span
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server, resolve_target
from sandbox_agent_client.errors import SessionNotFound

__all__ = ["requests_app"]

requests_app = Commands(
    help="What agents wait for, over all sessions of a server: list it, watch it, answer it.",
    invoke_without_command=True,
)
HEADERS = ("id", "session", "agent", "since", "left", "what")
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


@requests_app.command("watch")
def _watch(url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE, json: Json = False) -> None:
    """What waits now, and then each request as it comes, until Ctrl-C."""
    finish(_watch_waiting(resolve_server(url, token_env), as_json=json))


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


class _Agents:
    """Whose requests they are: a request itself only names its session."""

    def __init__(self, client: SandboxAgent) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    async def learn(self) -> None:
        """Of all that wait, by one call."""
        waiting = await self._client.list_sessions(status="waiting")
        self._known |= {session.id: session.info.agent for session in waiting}

    async def of(self, request: AnyRequest) -> str:
        id = request.session_id
        if id not in self._known:
            try:
                self._known[id] = (await self._client.get_session(id)).info.agent
            except SessionNotFound:  # it was deleted meanwhile
                return ""
        return self._known[id]


async def _list_waiting(target: Target, *, as_json: bool) -> None:
    asked: list[tuple[AnyRequest, str]] = []
    if target.url is not None:
        async with target.open() as client:
            agents = _Agents(client)
            if waiting := await client.requests():
                await agents.learn()
            asked = [(request, await agents.of(request)) for request in waiting]
    if as_json:
        for request, agent in asked:
            print(_wire(request, agent))
    elif asked:
        print_table(HEADERS, [_cells(request, agent) for request, agent in asked])
    else:
        here = (
            "" if target.url is not None else " What `run` is asked, it asks at its own terminal."
        )
        print(f"Nothing waits for an answer.{here}")


async def _watch_waiting(target: Target, *, as_json: bool) -> None:
    async with target.open() as client:
        agents = _Agents(client)
        if not as_json:
            print(
                "watching, Ctrl-C leaves; `sandbox-agent requests allow ID` answers, or deny, or answer",
                file=sys.stderr,
            )
        async with aclosing(client.watch_requests()) as requests:
            async for request in requests:
                agent = await agents.of(request)
                if as_json:
                    print(_wire(request, agent), flush=True)
                else:
                    told = "  ".join(_cells(request, agent))
                    print(plain(told).replace("\n", " "), flush=True)


def _wire(request: AnyRequest, agent: str) -> str:
    wire = request.info.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json_module.dumps({"agent": agent, **wire})


def _cells(request: AnyRequest, agent: str) -> tuple[str, ...]:
    now = datetime.now(UTC)
    since = span(now - datetime.fromisoformat(request.info.asked_at))
    left = span(datetime.fromisoformat(request.info.expires_at) - now)
    return (request.id, request.session_id, agent, since, left, described(request))


async def _respond(
    target: Target, id: str | None, answers: list[str], *, message: str | None = None
) -> None:
    async with target.open() as client:
        asked = pick(await client.requests(), id)
        print(await respond(asked, answers, message=message), file=sys.stderr)
