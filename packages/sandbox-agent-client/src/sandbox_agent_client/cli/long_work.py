"""`sandbox-agent sessions steer`, `compact`, `review`, `fork`, `rewind`, …: what a session of a server can be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.run import RunOptions, run
from sandbox_agent_client.cli.target import TOKEN_VARIABLE, Target, resolve_target

__all__ = ["add_long_work_commands"]

Id = Annotated[str, typer.Argument(metavar="ID")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="A server that runs. Default: $SANDBOX_AGENT_URL.", show_default=False
    ),
]
TokenEnv = Annotated[
    str,
    typer.Option("--token-env", help="The variable that holds the server's token.", metavar="NAME"),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Allow everything the agent asks for.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]

Work = Callable[[Session], Coroutine[Any, Any, ExitCode | None]]


def add_long_work_commands(app: typer.Typer) -> None:
    app.command("steer")(_steer)
    app.command("cancel")(_cancel)
    app.command("compact", epilog=EXIT_HELP)(_compact)
    app.command("review", epilog=EXIT_HELP)(_review)
    app.command("fork")(_fork)
    app.command("rewind")(_rewind)
    app.command("rename")(_rename)
    app.command("native")(_native)


def _steer(
    session_id: Id,
    text: Annotated[str, typer.Argument(help="What to say.")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Say something into the turn that runs; to an agent that cannot be told in between, afterwards."""

    async def work(session: Session) -> None:
        steered = await session.steer(text)
        about = {"steered": "taken into", "queued": "queued as", "started": "begun as"}
        print(f"{about[steered.how]} {steered.turn_id}")

    _at(url, token_env, session_id, work)


def _cancel(
    session_id: Id,
    turn: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this turn.", show_default=False)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this background task.", show_default=False),
    ] = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="Also all background tasks.")] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Cancel what the session does; without a turn that is its background tasks."""

    async def work(session: Session) -> None:
        done = await session.cancel(turn, task_id=task, tasks=tasks or None)
        for id in (*done.cancelled, *done.tasks):
            print(f"cancelled {id}")
        if not done.cancelled and not done.tasks:
            print("Nothing was running.")

    _at(url, token_env, session_id, work)


def _compact(
    session_id: Id,
    instructions: Annotated[
        str | None, typer.Argument(help="What to keep.", show_default=False)
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Have the agent put a summary in place of the conversation so far."""
    _play(url, token_env, session_id, f"/compact {instructions or ''}", yes=yes, as_json=as_json)


def _review(
    session_id: Id,
    branch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The changes against this branch.", show_default=False),
    ] = None,
    commit: Annotated[
        str | None, typer.Option(metavar="SHA", help="Of this commit.", show_default=False)
    ] = None,
    instructions: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What to look at.", show_default=False)
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Have the agent review changes, by default those that are not committed."""
    wanted = {"branch {}": branch, "commit {}": commit, "{}": instructions}
    given = [words.format(value) for words, value in wanted.items() if value is not None]
    if len(given) > 1:
        raise typer.BadParameter("give one of --branch, --commit and --instructions")
    _play(url, token_env, session_id, f"/review {''.join(given)}", yes=yes, as_json=as_json)


def _fork(
    session_id: Id,
    before_turn: Annotated[
        str | None,
        typer.Option(metavar="ID", help="With what was before this turn.", show_default=False),
    ] = None,
    id: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the new session.", show_default=False)
    ] = None,
    title: Annotated[str | None, typer.Option(show_default=False)] = None,
    mode: Annotated[str | None, typer.Option(show_default=False)] = None,
    model: Annotated[str | None, typer.Option(show_default=False)] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Make another session that begins with what was in this one. Prints its id."""

    async def work(session: Session) -> None:
        fork = await session.fork(
            before_turn_id=before_turn, id=id, title=title, mode=mode, model=model
        )
        print(fork.id)

    _at(url, token_env, session_id, work)


def _rewind(
    session_id: Id,
    turn: Annotated[
        str | None,
        typer.Argument(metavar="[TURN]", help="Default: the last.", show_default=False),
    ] = None,
    files: Annotated[bool, typer.Option(help="Put files back.")] = True,
    conversation: Annotated[bool, typer.Option(help="Let the agent forget.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Go back to before a turn that a prompt began."""

    async def work(session: Session) -> None:
        done = await session.rewind(turn, files=files, conversation=conversation, dry_run=dry_run)
        if as_json:
            print(json.dumps(done.model_dump(mode="json", by_alias=True, exclude_none=True)))
            return
        would = "would be " if dry_run else ""
        if conversation:
            print(f"{would}forgotten: {', '.join(done.turn_ids)}")
        for path in done.files_changed or ():
            print(f"{would}put back: {plain(path)}")

    _at(url, token_env, session_id, work)


def _rename(
    session_id: Id,
    title: Annotated[str, typer.Argument(help="Empty: as its agent calls it.")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Give a session a title."""

    async def work(session: Session) -> None:
        await session.rename(title)

    _at(url, token_env, session_id, work)


def _native(
    session_id: Id,
    method: Annotated[str, typer.Argument(help="Of the agent's own protocol.")],
    params: Annotated[str, typer.Argument(help="A JSON object.")] = "{}",
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Ask the agent something in its own protocol; the answer as JSON. Takes a token that may do everything."""
    try:
        given = json.loads(params)
    except ValueError as exc:
        raise typer.BadParameter(f"not JSON: {exc}") from exc
    if not isinstance(given, dict):
        raise typer.BadParameter("not a JSON object")

    async def work(session: Session) -> None:
        print(json.dumps(await session.native(method, given)))

    _at(url, token_env, session_id, work)


def _at(url: str | None, token_env: str, session_id: str, work: Work) -> None:
    target = _server(url, token_env)

    async def command() -> ExitCode | None:
        async with target.open() as client:
            return await work(await client.get_session(session_id))

    finish(command())


def _play(
    url: str | None, token_env: str, session_id: str, prompt: str, *, yes: bool, as_json: bool
) -> None:
    """A turn, as `run` shows it: slash commands are the operations."""
    target = _server(url, token_env)

    async def command() -> ExitCode:
        async with target.open() as client:
            agent = (await client.get_session(session_id)).info.agent
        return await run(
            RunOptions(
                prompt=prompt.strip(),
                target=target,
                agent=agent,
                session_id=session_id,
                allow_all=yes,
                as_json=as_json,
            )
        )

    finish(command())


def _server(url: str | None, token_env: str) -> Target:
    target = resolve_target(url=url, sandbox=None, token_env=token_env)
    if target.url is None:
        raise typer.BadParameter(
            "this takes a session of a server that runs: give --url, or set SANDBOX_AGENT_URL"
        )
    return target
