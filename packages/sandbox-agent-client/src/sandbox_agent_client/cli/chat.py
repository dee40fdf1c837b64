"""`sandbox-agent chat`: a conversation at the terminal. What happens in the session is shown as it happens, whoever began it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from rich.console import Console
from sandbox_agent_core.events import CommandsUpdated, Event, TurnDropped, TurnEnded

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.approval import Approver
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.line_editor import LineEditor
from sandbox_agent_client.cli.opening import Wanted, opened
from sandbox_agent_client.cli.options import Yes
from sandbox_agent_client.cli.playing import People, how_to_answer
from sandbox_agent_client.cli.session_flags import SessionFlags, takes_session_flags
from sandbox_agent_client.cli.transcript import show_transcript
from sandbox_agent_client.cli.watching import Onlooker
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["add_chat_command", "chat", "chat_in"]

SHOWN_TURNS = 1
"""Of a session that is gone on with, the last."""
LEAVE = ("/exit", "/quit")
_OURS = (("/exit", "leave; the session stays"), ("/help", "these, and those of the agent"))


def add_chat_command(app: Commands, *, panel: str) -> None:
    app.command("chat", epilog=EXIT_HELP, rich_help_panel=panel)(_chat)


@takes_session_flags
def _chat(flags: SessionFlags, yes: Yes = False) -> None:
    """Talk to an agent, turn by turn. Ctrl-C cancels a turn, again leaves; so do /exit and Ctrl-D."""
    finish(chat(flags.wanted(), allow_all=yes))


async def chat(wanted: Wanted, *, allow_all: bool) -> ExitCode:
    """Raises: SandboxAgentError."""
    screen = Onlooker(asks=False)
    async with opened(wanted, report=screen.remark) as (_, session):
        code = await chat_in(session, screen, allow_all=allow_all)
        screen.remark(f"go on with it: sandbox-agent chat --session {session.id}")
        return code


async def chat_in(session: Session, screen: Onlooker, *, allow_all: bool) -> ExitCode:
    screen.remark(f"session {session.id} ({session.info.agent}), /help for help, /exit leaves")
    return await _Chat(session, screen, allow_all=allow_all).talk()


class _Chat:
    def __init__(self, session: Session, screen: Onlooker, *, allow_all: bool) -> None:
        self._session = session
        self._screen = screen
        self._editor = LineEditor()
        screen.terminal = self._editor.taken
        self._approver = Approver(
            how_to_answer(screen, allow_all=allow_all), screen, actor="sandbox-agent chat"
        )
        self._turn: str | None = None
        """The one that the person waits for."""
        self._over = asyncio.Event()
        self._leaves = False
        self._cancelling: asyncio.Task[None] | None = None

    async def talk(self) -> ExitCode:
        after = await self._look_back()
        self._approver.attach(self._session)
        loop = asyncio.get_running_loop()
        following = asyncio.create_task(self._follow(after))
        talking = asyncio.create_task(self._talk())
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        try:
            await asyncio.wait([following, talking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            tasks = [one for one in (following, talking, self._cancelling) if one is not None]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in (talking, following):
            if not task.cancelled():
                task.result()
        return ExitCode.CANCELLED if self._leaves else ExitCode.OK

    async def _look_back(self) -> int:
        """Show where the conversation was left; the seq after which it goes on."""
        transcript = await self._session.transcript()
        self._offer(transcript.commands)
        said = [turn for turn in transcript.turns if turn.prompt is not None and not turn.rewound]
        if said:
            last = replace_turns(transcript, said[-SHOWN_TURNS:])
            show_transcript(last, Console(highlight=False), with_head=False)
        return transcript.last_seq

    async def _follow(self, after: int) -> None:
        async with aclosing(self._session.stream(after=after)) as events:
            async for event in events:
                self._approver.notify(event)
                self._show(event)
                if isinstance(event, CommandsUpdated):
                    self._offer(event.commands)
                if isinstance(event, (TurnEnded, TurnDropped)) and event.turn_id == self._turn:
                    self._turn = None
                    self._over.set()
