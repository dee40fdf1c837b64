"""`sandbox-agent sessions compact`, `review`, `fork`, `rewind`, …: what a session can be asked besides prompts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, finish
from sandbox_agent_client.cli.opening import Wanted
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, SessionName, TokenEnv, Url, Yes
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.run import run
from sandbox_agent_client.cli.session_work import in_session
from sandbox_agent_client.cli.target import resolve_target

__all__ = ["add_long_work_commands"]


def add_long_work_commands(app: Commands, *, panel: str) -> None:
    app.command("compact", epilog=EXIT_HELP, rich_help_panel=panel)(_compact)
    app.command("review", epilog=EXIT_HELP, rich_help_panel=panel)(_review)
    app.command("fork", rich_help_panel=panel)(_fork)
    app.command("rewind", rich_help_panel=panel)(_rewind)
    app.command("rename", rich_help_panel=panel)(_rename)
    app.command("native", rich_help_panel=panel)(_native)


def _compact(
    session: SessionName,
    instructions: Annotated[
        str | None, typer.Argument(help="What to keep.", show_default=False)
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Have the agent put a summary in place of the conversation so far."""
    _play(session, url, token_env, f"/compact {instructions or ''}", yes=yes, as_json=as_json)


def _review(
    session: SessionName,
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
    _play(session, url, token_env, f"/review {''.join(given)}", yes=yes, as_json=as_json)


def _fork(
    session: SessionName,
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

    async def work(found: Session) -> None:
        fork = await found.fork(
            before_turn_id=before_turn, id=id, title=title, mode=mode, model=model
        )
        print(fork.id)

    in_session(session, url, token_env, work)


def _rewind(
    session: SessionName,
    turn: Annotated[
        str | None,
        typer.Argument(metavar="TURN", help="Default: the last.", show_default=False),
    ] = None,
    files: Annotated[bool, typer.Option(help="Put files back.")] = True,
    conversation: Annotated[bool, typer.Option(help="Let the agent forget.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Go back to before a turn that a prompt began."""

    async def work(found: Session) -> None:
        done = await found.rewind(turn, files=files, conversation=conversation, dry_run=dry_run)
        if as_json:
            print(json.dumps(done.model_dump(mode="json", by_alias=True, exclude_none=True)))
            return
        would = "would be " if dry_run else ""
        if conversation:
            print(f"{would}forgotten: {', '.join(done.turn_ids)}")
        for path in done.files_changed or ():
            print(f"{would}put back: {plain(path)}")

    in_session(session, url, token_env, work)


def _rename(
    session: SessionName,
    title: Annotated[str, typer.Argument(help="Empty: as its agent calls it.")],
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Give a session a title."""

    async def work(found: Session) -> None:
        await found.rename(title)

    in_session(session, url, token_env, work)


def _native(
    session: SessionName,
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

    async def work(found: Session) -> None:
        print(json.dumps(await found.native(method, given)))

    in_session(session, url, token_env, work)


def _play(
    session: str, url: str | None, token_env: str, prompt: str, *, yes: bool, as_json: bool
) -> None:
    """A turn, as `run` shows it: slash commands are the operations."""
    wanted = Wanted(target=resolve_target(url=url, token_env=token_env), session=session)
    finish(run(prompt.strip(), wanted, allow_all=yes, as_json=as_json))
