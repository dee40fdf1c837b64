"""`sandbox-agent sessions prompt`, `steer`, `respond`, `cancel`, `end`: a session at work, steered from elsewhere."""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
from typing import Annotated

import typer

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.answering import pick, respond
from sandbox_agent_client.cli.archive import StoreArchive
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.local_sessions import run_of
from sandbox_agent_client.cli.opening import Wanted
from sandbox_agent_client.cli.options import (
    TOKEN_VARIABLE,
    Json,
    SessionName,
    SessionNames,
    TokenEnv,
    Url,
    Yes,
)
from sandbox_agent_client.cli.prompt_argument import PromptCommand, read_prompt
from sandbox_agent_client.cli.run import Background, MaxCost, MaxTurns, Timeout, run
from sandbox_agent_client.cli.session_work import in_session
from sandbox_agent_client.cli.target import resolve_target

__all__ = ["add_steering_commands"]

Prompt = Annotated[
    str, typer.Argument(metavar="PROMPT", help="What to say; `-` reads it from stdin.")
]


def add_steering_commands(app: Commands, *, panel: str) -> None:
    app.command("prompt", epilog=EXIT_HELP, cls=PromptCommand, rich_help_panel=panel)(_prompt)
    app.command("steer", cls=PromptCommand, rich_help_panel=panel)(_steer)
    app.command("respond", rich_help_panel=panel)(_respond)
    app.command("cancel", rich_help_panel=panel)(_cancel)
    app.command("end", rich_help_panel=panel)(_end)


def _prompt(
    session: SessionName,
    prompt: Prompt,
    yes: Yes = False,
    json: Json = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help="Watch until its turn has ended. Without: print the id of the turn, and leave it to the server.",
        ),
    ] = True,
    wait_for_background: Background = True,
    timeout: Timeout = None,
    max_turns: MaxTurns = None,
    max_cost: MaxCost = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Give a session another prompt and watch, as `run --session` does."""
    if not wait:
        if yes:
            raise typer.BadParameter(
                "--yes answers while it watches: --no-wait leaves that to others, see `requests`"
            )

        async def send(found: Session) -> None:
            turn = await found.send(text, timeout=timeout, max_turns=max_turns, max_cost=max_cost)
            ids = {"sessionId": found.id, "turnId": turn.id}
            print(json_module.dumps(ids) if json else turn.id)

        text = read_prompt(prompt)
        in_session(session, url, token_env, send)
    wanted = Wanted(target=resolve_target(url=url, token_env=token_env), session=session)
    finish(
        run(
            read_prompt(prompt),
            wanted,
            allow_all=yes,
            as_json=json,
            wait_for_background=wait_for_background,
            timeout_s=timeout,
            max_turns=max_turns,
            max_cost=max_cost,
        )
    )


def _steer(
    session: SessionName,
    text: Prompt,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Say something into the turn that runs; to an agent that cannot be told in between, afterwards."""

    async def steer(found: Session) -> None:
        steered = await found.steer(read_prompt(text))
        about = {"steered": "taken into", "queued": "queued as", "started": "begun as"}
        print(f"{about[steered.how]} {steered.turn_id}")

    in_session(session, url, token_env, steer)


def _respond(
    session: SessionName,
    answers: Annotated[
        list[str],
        typer.Argument(
            metavar="ANSWER...",
            help="allow, always or deny; of a question an answer for each, by number or in words, or decline.",
        ),
    ],
    request: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Which, when several wait.", show_default=False),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="With deny: why, for the agent."),
    ] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Answer what a session waits for."""

    async def answer(found: Session) -> None:
        asked = pick(await found.requests(), request, session=found.id)
        print(await respond(asked, answers, message=message))

    in_session(session, url, token_env, answer)


def _cancel(
    session: SessionName,
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

    async def cancel(found: Session) -> None:
        done = await found.cancel(turn, task_id=task, tasks=tasks or None)
        for id in (*done.cancelled, *done.tasks):
            print(f"cancelled {id}")
        if not done.cancelled and not done.tasks:
            print("Nothing was running.")

    async def interrupt(_archive: StoreArchive, session_id: str) -> None:
        pid = run_of(session_id)
        if pid is None:
            print("Nothing was running.")
            return
        if turn or task:
            raise typer.BadParameter(
                f"session {session_id!r} runs in process {pid}, which cancels all that it does"
            )
        # As Ctrl-C at its terminal.
        os.kill(pid, signal.SIGINT)
        print(f"cancelled the run of {session_id} (process {pid})")

    in_session(session, url, token_env, cancel, in_store=interrupt)


def _end(
    sessions: SessionNames,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """End sessions and stop their agents. What was said stays; `delete` takes that too."""

    async def end(found: Session) -> None:
        await found.end()
        print(f"ended {found.id}", file=sys.stderr)

    async def end_stored(archive: StoreArchive, session_id: str) -> None:
        await archive.end(session_id)
        print(f"ended {session_id}", file=sys.stderr)

    code = ExitCode.OK
    for name in sessions:
        try:
            in_session(name, url, token_env, end, in_store=end_stored)
        except typer.Exit as done:
            code = ExitCode(done.exit_code) if done.exit_code else code
    raise typer.Exit(int(code))
