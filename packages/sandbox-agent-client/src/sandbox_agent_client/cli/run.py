"""`sandbox-agent run`: one prompt from start to end."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox_agent_client.cli.chat import chat
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.opening import Wanted, opened
from sandbox_agent_client.cli.options import Json, Yes
from sandbox_agent_client.cli.playing import JsonLines, Output, People, Play
from sandbox_agent_client.cli.prompt_argument import PromptCommand, read_prompt
from sandbox_agent_client.cli.session_flags import SessionFlags, takes_session_flags
from sandbox_agent_client.cli.terminal import is_terminal

__all__ = ["Background", "MaxCost", "MaxTurns", "Timeout", "add_run_command", "run"]

Background = Annotated[
    bool,
    typer.Option(
        "--wait-for-background/--no-wait-for-background",
        help="Wait for commands and sub-agents that the agent leaves running, and for what it does by "
        "itself when they end.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="SECONDS", help="Then cancel it all.", show_default=False),
]
MaxTurns = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Round trips to the model, then stop the turn.", show_default=False
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="USD", help="What the turn may cost, then stop it.", show_default=False
    ),
]


def add_run_command(app: Commands, *, panel: str) -> None:
    app.command("run", epilog=EXIT_HELP, cls=PromptCommand, rich_help_panel=panel)(_run)


@takes_session_flags
def _run(
    flags: SessionFlags,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="What the agent shall do; `-` reads it from stdin. Without one, at a terminal: a `chat`.",
            show_default=False,
        ),
    ] = None,
    yes: Yes = False,
    json: Json = False,
    wait_for_background: Background = True,
    timeout: Timeout = None,
    max_turns: MaxTurns = None,
    max_cost: MaxCost = None,
) -> None:
    """Give an agent one prompt and watch it work. Ctrl-C cancels it, again leaves."""
    if prompt is None:
        if json or not is_terminal():
            raise typer.BadParameter("which one? `-` reads it from stdin", param_hint="PROMPT")
        finish(chat(flags.wanted(), allow_all=yes))
    else:
        finish(
            run(
                read_prompt(prompt),
                flags.wanted(),
                allow_all=yes,
                as_json=json,
                wait_for_background=wait_for_background,
                timeout_s=timeout,
                max_turns=max_turns,
                max_cost=max_cost,
            )
        )


async def run(
    prompt: str,
    wanted: Wanted,
    *,
    allow_all: bool,
    as_json: bool,
    wait_for_background: bool = True,
    timeout_s: float | None = None,
    max_turns: int | None = None,
    max_cost: float | None = None,
) -> ExitCode:
    """Raises: SandboxAgentError."""
    output: Output = JsonLines() if as_json else People()
    async with opened(wanted, report=None if as_json else output.remark) as (_, session):
        if not as_json:
            output.remark(f"session {session.id} ({session.info.agent})")
        return await Play(
            session,
            prompt,
            output,
            allow_all=allow_all,
            wait_for_background=wait_for_background,
            timeout_s=timeout_s,
            max_turns=max_turns,
            max_cost=max_cost,
        ).play()
