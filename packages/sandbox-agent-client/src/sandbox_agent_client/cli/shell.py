"""`sandbox-agent shell`: a terminal where a server runs, in this terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

import typer

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.terminals import Terminal
from sandbox_agent_client.cli.assignments import environment, provider_options
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Url
from sandbox_agent_client.cli.processes import NOT_FOUND, ExecCommand, status_of, typed
from sandbox_agent_client.cli.raw_terminal import ScreenModes, raw_input, size_of_screen
from sandbox_agent_client.cli.target import Target, resolve_server, resolve_target
from sandbox_agent_client.errors import ProcessNotRunning, ProcessStartFailed, SandboxAgentError

__all__ = ["add_shell_command"]

END_OF_FILE = b"\x04"
"""What ^D types."""
CONTROL = 0x1F
STEP_DOWN = (signal.SIGTERM, signal.SIGHUP)

SHELL_HELP = """\
\b
Exit status: that of the program (128+N: signal N ended it), 0 when it was left with the detach key.
What goes wrong before it runs has the status that `sandbox-agent run --help` names.
"""


def add_shell_command(app: Commands, *, panel: str) -> None:
    app.command("shell", epilog=SHELL_HELP, cls=ExecCommand, rich_help_panel=panel)(_shell)


def _shell(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="A program in place of the login shell."),
    ] = None,
    attach: Annotated[
        str | None,
        typer.Option(
            "--attach", "-a", metavar="PROCESS", help="Go to one that runs, as `ps` shows it.",
            show_default=False,
        ),
    ] = None,
    detach_key: Annotated[
        str,
        typer.Option(metavar="KEY", help="Leaves it running: `^` and a letter or ]\\^_; `none`."),
    ] = "^]",
    cwd: Annotated[
        str | None,
        typer.Option("--cwd", metavar="DIR", help="Where it runs. Default: the server's own directory.",
                     show_default=False),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME[=VALUE]", help="A variable for it; repeat for more.", show_default=False),
    ] = None,
    sandbox: Annotated[
        str | None,
        typer.Option("--sandbox", metavar="PROVIDER", help="In a sandbox of its own, which ends with it.",
                     show_default=False),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="An option of the --sandbox. Repeat for more.",
                     show_default=False),
    ] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:  # fmt: skip
    """A shell where the server runs, in this terminal. Ctrl-] leaves it running there."""
    if attach is not None and (command or cwd is not None or env or sandbox is not None):
        raise typer.BadParameter(
            "--attach goes to what runs already: it takes no command, --cwd, --env or --sandbox"
        )
    if sandbox is None and option:
        raise typer.BadParameter("--option is for a --sandbox")
    target = (
        resolve_server(url, token_env)
        if sandbox is None
        else resolve_target(
            url=url, sandbox=sandbox, token_env=token_env, options=provider_options(option or [])
        )
    )
    wanted = _Wanted(
        command=command or None,
        attach=attach,
        cwd=cwd,
        env=environment(env or []),
        key=_key(detach_key),
    )
    finish(_run(target, wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    command: list[str] | None
    attach: str | None
    cwd: str | None
    env: dict[str, str]
    key: bytes | None
    """Leaves it running."""


def _key(text: str) -> bytes | None:
    """Raises: typer.BadParameter."""
    if text.lower() == "none":
        return None
    caret, letter = text[:1], text[1:].upper()
    if caret != "^" or len(letter) != 1 or not "@" < letter <= "_":
        raise typer.BadParameter(
            f"--detach-key {text!r}: write ^ and a letter, such as ^], or none"
        )
    return bytes([ord(letter) & CONTROL])


async def _run(target: Target, wanted: _Wanted) -> int:
    async with target.open(report=_report if target.url is None else None) as client:
        try:
            terminal = await _opened(client, wanted)
        except ProcessStartFailed as exc:
            print(f"sandbox-agent: {exc.message}", file=sys.stderr)
            return NOT_FOUND
        hands = _Hands(terminal, wanted.key)
        try:
            await hands.run()
        finally:
            await terminal.close()
        if hands.has_left:
            how = f"sandbox-agent shell --attach {terminal.id}"
            gone = "" if target.url is not None else " (it ends with its sandbox)"
            print(f"Left {terminal.id} running{gone}; back to it: {how}", file=sys.stderr)
            return ExitCode.OK
        info = await terminal.wait()
        if wanted.attach is None:
            # Nobody else knows of it.
            with suppress(SandboxAgentError):
                await terminal.process.delete()
    return status_of(info)


def _report(step: str) -> None:
    print(f"sandbox-agent: {step}", file=sys.stderr, flush=True)


async def _opened(client: SandboxAgent, wanted: _Wanted) -> Terminal:
    cols, rows = size_of_screen()
    if wanted.attach is None:
        term = {"TERM": os.environ["TERM"]} if os.environ.get("TERM") else {}
        return await client.terminal.open(
            wanted.command, cwd=wanted.cwd, env={**term, **wanted.env}, cols=cols, rows=rows
        )
    terminal = await client.terminal.attach(wanted.attach)
    if sys.stdin.isatty():
        # Full-screen programs draw themselves anew when the size changes, and not when it is the same.
        await terminal.resize(cols=cols, rows=max(rows - 1, 1))
        await terminal.resize(cols=cols, rows=rows)
    return terminal


class _Hands:
    """A person's keys and screen, at a terminal elsewhere."""

    def __init__(self, terminal: Terminal, key: bytes | None) -> None:
        self._terminal = terminal
        self._key = key
        self._modes = ScreenModes()
        self.has_left = False
        """By the detach key."""

    async def run(self) -> None:
        """To the end of the program, or until it is left."""
        with raw_input():
            try:
                async with _told(signal.SIGWINCH, self._resize), _stopped_by(STEP_DOWN):
                    await self._until_one_ends()
            finally:
                self._write(self._modes.undo())

    async def _until_one_ends(self) -> None:
        showing = asyncio.create_task(self._show())
        typing = asyncio.create_task(self._type())
        try:
            await asyncio.wait([showing, typing], return_when=asyncio.FIRST_COMPLETED)
            if typing.done() and not self.has_left:
                typing.result()
                await showing
            elif showing.done():
                showing.result()
        finally:
            for task in (showing, typing):
                task.cancel()
            await asyncio.wait([showing, typing])

    async def _show(self) -> None:
        async for data in self._terminal:
            self._modes.watch(data)
            self._write(data)

    async def _type(self) -> None:
        # What has ended is typed into no more.
        last = b"\n"
        with suppress(ProcessNotRunning):
            async with aclosing(typed(sys.stdin.fileno())) as chunks:
                async for chunk in chunks:
                    before, key, _ = chunk.partition(self._key) if self._key else (chunk, b"", b"")
                    if before:
                        await self._terminal.write(before)
                        last = before[-1:]
                    if key and sys.stdin.isatty():
                        self.has_left = True
                        return
            # In the midst of a line the first one only ends that.
            await self._terminal.write(END_OF_FILE if last == b"\n" else END_OF_FILE * 2)

    async def _resize(self) -> None:
        cols, rows = size_of_screen()
        with suppress(SandboxAgentError):
            await self._terminal.resize(cols=cols, rows=rows)

    def _write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@asynccontextmanager
async def _told(number: signal.Signals, tell: Callable[[], object]) -> AsyncIterator[None]:
    """One after the other, and the last of many."""
    changed, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(number, changed.set)

    async def work() -> None:
        while True:
            await changed.wait()
            changed.clear()
            result = tell()
            if asyncio.iscoroutine(result):
                await result

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _stopped_by(numbers: tuple[signal.Signals, ...]) -> AsyncIterator[None]:
    """Python would end at once, and leave the terminal as it is."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
