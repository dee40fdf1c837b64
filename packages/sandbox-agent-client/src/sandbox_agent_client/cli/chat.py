"""`sandbox-agent chat`: a conversation at the terminal. What happens in the session is shown as it happens, whoever began it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import aclosing

from rich.console import Console
from sandbox_agent_core.events import Command, CommandsUpdated, SessionEnded, TurnDropped, TurnEnded
from sandbox_agent_core.stores.opening import shown_store

from sandbox_agent_client._async.session import Session
from sandbox_agent_client._async.turn import Turn
from sandbox_agent_client.cli.approval import Approver
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import EXIT_HELP, ExitCode, finish
from sandbox_agent_client.cli.opening import Wanted, opened
from sandbox_agent_client.cli.options import Yes
from sandbox_agent_client.cli.playing import how_to_answer
from sandbox_agent_client.cli.session_flags import SessionFlags, takes_session_flags
from sandbox_agent_client.cli.transcript import show_transcript
from sandbox_agent_client.cli.watching import Onlooker
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["add_chat_command", "chat", "chat_in"]

SHOWN_TURNS = 1
"""Of a session that is gone on with, the last."""
_OURS = (("/exit", "leave; the session stays"), ("/help", "these, and those of the agent"))


def add_chat_command(app: Commands, *, panel: str) -> None:
    app.command("chat", epilog=EXIT_HELP, rich_help_panel=panel)(_chat)


@takes_session_flags
def _chat(flags: SessionFlags, yes: Yes = False) -> None:
    """Talk to an agent, turn by turn. Ctrl-C cancels a turn, again leaves; so do /exit and Ctrl-D."""
    finish(chat(flags.wanted(), allow_all=yes))


async def chat(wanted: Wanted, *, allow_all: bool) -> ExitCode:
    """Raises: SandboxAgentError."""
    screen = Onlooker(asks=True)
    async with opened(wanted, report=screen.remark) as (_, session):
        code = await chat_in(session, screen, allow_all=allow_all)
        store = wanted.target.store
        where = f" --store {shown_store(store)}" if store is not None else ""
        screen.remark(f"go on with it: sandbox-agent chat --session {session.id}{where}")
        return code


async def chat_in(session: Session, screen: Onlooker, *, allow_all: bool) -> ExitCode:
    screen.remark(f"session {session.id} ({session.info.agent}), /help for help, /exit leaves")
    return await _Chat(session, screen, allow_all=allow_all).talk()


class _Chat:
    def __init__(self, session: Session, screen: Onlooker, *, allow_all: bool) -> None:
        self._session = session
        self._screen = screen
        # Its library takes a tenth of a second to load, which other commands shall not wait for.
        from sandbox_agent_client.cli.line_editor import LineEditor  # noqa: PLC0415

        self._editor = LineEditor()
        screen.terminal = self._editor.given_away
        self._approver = Approver(
            how_to_answer(screen, allow_all=allow_all), screen, actor="sandbox-agent chat"
        )
        self._turn: asyncio.Task[Turn] | None = None
        """The one that the person waits for, from when its prompt is sent."""
        # Otherwise somebody may be typing, and the prompt would be drawn over half a message.
        screen.streams = lambda: self._turn is not None
        self._ended: set[str] = set()
        self._news = asyncio.Event()
        self._is_cancelled = False
        self._cancelling: asyncio.Task[None] | None = None

    async def talk(self) -> ExitCode:
        after = await self._look_back()
        self._approver.attach(self._session)
        loop = asyncio.get_running_loop()
        following = asyncio.create_task(self._follow(after))
        self._talking = talking = asyncio.create_task(self._talk())
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        try:
            await asyncio.wait([following, talking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            left_early = talking.cancelled()
            tasks = [one for one in (following, talking, self._cancelling) if one is not None]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in (talking, following):
            if not task.cancelled():
                task.result()
        return ExitCode.CANCELLED if left_early else ExitCode.OK

    async def _look_back(self) -> int:
        """Show where the conversation was left; the seq after which it goes on."""
        transcript = await self._session.transcript()
        self._editor.commands = [*_OURS, *_offered(transcript.commands)]
        said = [turn for turn in transcript.turns if turn.prompt is not None and not turn.rewound]
        if said:
            shown = transcript.model_copy(update={"turns": said[-SHOWN_TURNS:]})
            show_transcript(shown, Console(highlight=False))
        return transcript.seq

    async def _follow(self, after: int) -> None:
        async with aclosing(self._session.stream(after=after)) as events:
            async for event in events:
                self._approver.notify(event)
                self._screen.show(event)
                match event:
                    case CommandsUpdated(commands=commands):
                        self._editor.commands = [*_OURS, *_offered(commands)]
                    case TurnEnded() | TurnDropped():
                        self._ended.add(str(event.turn_id))
                        self._news.set()
                    case SessionEnded():
                        return
                    case _:
                        pass

    async def _talk(self) -> None:
        while (text := await self._editor.read()) is not None:
            match text.strip():
                case "":
                    continue
                case "/exit" | "/quit":
                    return
                case "/help":
                    self._help()
                case _:
                    try:
                        await self._have_a_turn(text)
                    except SandboxAgentError as exc:
                        self._screen.remark(exc.message, "red")

    async def _have_a_turn(self, text: str) -> None:
        self._screen.typed = text
        try:
            self._turn = asyncio.create_task(self._session.send(text))
            turn = await self._turn
            while turn.id not in self._ended:
                self._news.clear()
                await self._news.wait()
        finally:
            self._turn = self._screen.typed = None
            self._is_cancelled = False

    def _interrupted(self) -> None:
        """Ctrl-C while the agent is at work. At the prompt the editor has it as a key."""
        if (turn := self._turn) is None:
            return
        if self._is_cancelled:
            self._talking.cancel()
            return
        self._is_cancelled = True
        self._screen.remark("cancelling the turn, Ctrl-C again to leave at once", "yellow")
        self._cancelling = asyncio.create_task(self._cancel(turn))

    async def _cancel(self, turn: asyncio.Task[Turn]) -> None:
        # Its events can be here before the answer that it has begun; before it has, there is nothing to cancel.
        await asyncio.wait([turn])
        try:
            await self._session.cancel()
        except SandboxAgentError as exc:
            self._screen.remark(f"could not cancel: {exc}", "red")

    def _help(self) -> None:
        width = max(len(name) for name, _ in self._editor.commands)
        for name, about in self._editor.commands:
            self._screen.remark(f"  {name:<{width}}  {about}".rstrip(), "")
        self._screen.remark("Enter sends, Alt-Enter begins a new line, Tab completes, ↑ goes back.")


def _offered(commands: Sequence[Command]) -> list[tuple[str, str]]:
    return [(f"/{one.name}", one.description or "") for one in commands]
