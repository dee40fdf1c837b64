"""The line that a person types in a chat: with history, completion of commands, and room for several lines.

What is shown meanwhile goes above it. When the agent asks something, the terminal is given away and what was typed
comes back afterwards.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.patch_stdout import StdoutProxy

from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.terminal import is_terminal

__all__ = ["LineEditor", "SlashCommands"]

PROMPT = "> "


class _Interrupted(Exception):
    """Ctrl-C. A KeyboardInterrupt of a task would end the whole program."""


class LineEditor:
    """`commands` are those that Tab offers: with what they are for."""

    def __init__(self) -> None:
        self.commands: Sequence[tuple[str, str]] = ()
        self._terminal = asyncio.Lock()
        self._reading: asyncio.Task[str] | None = None
        self._session = _prompt_session(self) if is_terminal() and sys.stdout.isatty() else None
        self._typed = ""

    async def read(self) -> str | None:
        """The next text; None at the end of input (Ctrl-D), or when Ctrl-C is pressed twice."""
        if self._session is None:
            line = await asyncio.to_thread(sys.stdin.readline)
            return line.rstrip("\n") if line else None
        was_interrupted = False
        while True:
            try:
                async with self._terminal:
                    return await self._edited(self._session)
            except _Interrupted:
                if was_interrupted and not self._typed:
                    return None
                was_interrupted = not self._typed
                self._typed = ""
                if was_interrupted:
                    print("Ctrl-C again, Ctrl-D or /exit leaves.", file=sys.stderr)
            except EOFError:
                return None
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # The terminal was given away: when it is back, the reading goes on.

    @asynccontextmanager
    async def given_away(self) -> AsyncIterator[None]:
        """While it lasts somebody else may read from the terminal."""
        if self._reading is not None and self._session is not None:
            self._typed = self._session.default_buffer.text
            self._reading.cancel()
        async with self._terminal:
            yield

    async def _edited(self, session: PromptSession[str]) -> str:
        typed, self._typed = self._typed, ""
        with _WholeLines(raw=True) as above, redirect_stdout(above), redirect_stderr(above):
            self._reading = asyncio.create_task(
                session.prompt_async(PROMPT, default=typed, handle_sigint=False)
            )
            try:
                return await self._reading
            except _Interrupted:
                self._typed = session.default_buffer.text
                raise
            finally:
                reading, self._reading = self._reading, None
                if not reading.done():
                    reading.cancel()
                    with suppress(asyncio.CancelledError):
                        await reading


class _WholeLines(StdoutProxy):
    """What is shown above the prompt. Half a line waits for its end: the prompt is drawn over it."""

    def flush(self) -> None:
        pass

    def close(self) -> None:
        super().flush()
        super().close()


class SlashCommands(Completer):
    """Those of the agent, and ours, where a text begins with one."""

    def __init__(self, known: Callable[[], Sequence[tuple[str, str]]]) -> None:
        self._known = known

    def get_completions(self, document: Document, _event: Any) -> Iterator[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or " " in text:
            return
        for name, about in self._known():
            if name.startswith(text):
                yield Completion(plain(name), -len(text), display_meta=plain(about))


def _prompt_session(editor: LineEditor) -> PromptSession[str]:
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _new_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history_file())),
        completer=SlashCommands(lambda: editor.commands),
        complete_while_typing=True,
        enable_history_search=False,
        key_bindings=keys,
        interrupt_exception=_Interrupted,
        reserve_space_for_menu=6,
    )
    # Terminals that do not tell where their cursor is make it wait, and then warn.
    if hasattr(session.output, "enable_cpr"):
        session.output.enable_cpr = False
    return session


def _history_file() -> Path:
    """For this user alone: people paste all sorts of things."""
    file = data_dir() / "cli" / "chat_history"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    return file
