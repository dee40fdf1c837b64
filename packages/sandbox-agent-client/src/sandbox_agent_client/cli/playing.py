"""One prompt from start to end, with live output."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Protocol

from rich.console import Console
from sandbox_agent_core.events import Diff, Event, TurnDropped, TurnEnded

from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.approval import Approver, How, Screen
from sandbox_agent_client.cli.exit_codes import ExitCode, of_stop_reason
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.render import Renderer
from sandbox_agent_client.cli.terminal import is_terminal
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["JsonLines", "Output", "People", "Play", "how_to_answer"]

CANCEL_GRACE_S = 15.0
"""After a cancel, how long to wait for the turn to end."""


class Output(Screen, Protocol):
    def show(self, event: Event) -> None: ...


class People(Renderer):
    """Output for people; questions go where remarks go."""

    def __init__(self) -> None:
        self.terminal: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        self._ask = Console(stderr=True, highlight=False)
        super().__init__(Console(highlight=False), self._ask)

    def question(self, text: str) -> None:
        self._ask.print(text, end="", markup=False)

    def change(self, diff: Diff, tool_call_id: str | None) -> None:
        self.diff(diff, self._ask, tool_call_id)


class JsonLines:
    """One event per line on stdout, for programs. Remarks go to stderr."""

    def show(self, event: Event) -> None:
        sys.stdout.write(json.dumps(event.to_wire()) + "\n")
        sys.stdout.flush()

    def remark(self, text: str, style: str = "") -> None:
        print(plain(text), file=sys.stderr)

    def terminal(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def question(self, text: str) -> None:
        raise AssertionError("nobody is asked in JSON mode")

    def change(self, diff: Diff, tool_call_id: str | None) -> None:
        raise AssertionError("nobody is asked in JSON mode")


def how_to_answer(output: Output, *, allow_all: bool) -> How:
    if allow_all:
        return "yes"
    is_seen = is_terminal() and sys.stderr.isatty() and isinstance(output, People)
    return "ask" if is_seen else "no"


class Play:
    """The turn of a run and what it started, and how it is cut short: the first Ctrl-C cancels it, the second leaves."""

    def __init__(
        self,
        session: Session,
        prompt: str,
        output: Output,
        *,
        allow_all: bool,
        wait_for_background: bool,
        timeout_s: float | None,
        max_turns: int | None = None,
        max_cost: float | None = None,
    ) -> None:
        self._session = session
        self._prompt = prompt
        self._output = output
        self._wait_for_background = wait_for_background
        self._timeout_s = timeout_s
        self._max_turns = max_turns
        self._max_cost = max_cost
        self._approver = Approver(how_to_answer(output, allow_all=allow_all), output)
        self._ends: list[TurnEnded | TurnDropped] = []
        self._cancelled_by: ExitCode | None = None
        self._cancelling: asyncio.Task[None] | None = None

    async def play(self) -> ExitCode:
        self._approver.attach(self._session)
        loop = asyncio.get_running_loop()
        watching = asyncio.create_task(self._watch())
        loop.add_signal_handler(signal.SIGINT, self._interrupted, watching)
        try:
            await asyncio.wait([watching], timeout=self._timeout_s)
            if not watching.done():
                self._cancel(ExitCode.TIMEOUT, "out of time, cancelling the turn")
                await asyncio.wait([watching], timeout=CANCEL_GRACE_S)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            watching.cancel()
            await asyncio.wait([watching])
            if self._cancelling is not None:
                await asyncio.wait([self._cancelling])
        if not watching.cancelled():
            watching.result()
        return self._exit_code()

    async def _watch(self) -> None:
        stream = self._session.prompt_stream(
            self._prompt,
            # For the case that this program is killed, and can cancel nothing.
            timeout=None if self._timeout_s is None else self._timeout_s + CANCEL_GRACE_S,
            max_turns=self._max_turns,
            max_cost=self._max_cost,
            wait_for_background=self._wait_for_background,
        )
        async with aclosing(stream) as events:
            async for event in events:
                self._approver.notify(event)
                self._output.show(event)
                if isinstance(event, (TurnEnded, TurnDropped)):
                    self._ends.append(event)
                    if event.limit is not None:
                        self._output.remark(f"stopped by its limit {event.limit}", "yellow")

    def _interrupted(self, watching: asyncio.Task[None]) -> None:
        if self._cancelled_by is None:
            self._cancel(ExitCode.CANCELLED, "cancelling the turn, Ctrl-C again to leave at once")
        else:
            self._cancelled_by = ExitCode.CANCELLED
            watching.cancel()

    def _cancel(self, code: ExitCode, why: str) -> None:
        self._cancelled_by = code
        self._output.remark(why, "yellow")
        self._cancelling = asyncio.create_task(self._send_cancel())

    async def _send_cancel(self) -> None:
        try:
            await self._session.cancel(tasks=True)
        except SandboxAgentError as exc:
            self._output.remark(f"could not cancel: {exc}", "red")

    def _exit_code(self) -> ExitCode:
        if self._cancelled_by is not None:
            return self._cancelled_by
        codes = [_of_end(end) for end in self._ends] or [ExitCode.CANCELLED]
        code = next((code for code in codes if code is not ExitCode.OK), ExitCode.OK)
        return ExitCode.DENIED if code is ExitCode.OK and self._approver.unanswered else code


def _of_end(end: TurnEnded | TurnDropped) -> ExitCode:
    if end.limit is not None:
        return ExitCode.TIMEOUT if end.limit == "timeout" else ExitCode.STOPPED
    return of_stop_reason(end.stop_reason) if isinstance(end, TurnEnded) else ExitCode.CANCELLED
