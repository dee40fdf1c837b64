"""`sandbox-agent run`: one prompt from start to end, with live output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic.alias_generators import to_camel
from rich.console import Console, RenderableType
from sandbox_agent_core.events import Event, TurnDropped, TurnEnded
from sandbox_agent_core.ids import new_id

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.approval import Approver, How, Screen
from sandbox_agent_client.cli.exit_codes import ExitCode, of_stop_reason
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.render import Renderer
from sandbox_agent_client.cli.target import Target
from sandbox_agent_client.errors import InvalidRequest, SandboxAgentError

__all__ = ["RunOptions", "run"]

DEFAULT_AGENT = "claude"
CANCEL_GRACE_S = 15.0
"""After a cancel, how long to wait for the turn to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    prompt: str
    target: Target
    agent: str | None = None
    cwd: str | None = None
    additional_directories: Sequence[str] = ()
    model: str | None = None
    mode: str | None = None
    agent_options: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    base_url: str | Mapping[str, str] | None = None
    trust_workspace: bool | None = None
    session_id: str | None = None
    allow_all: bool = False
    as_json: bool = False
    wait_for_background: bool = True
    timeout_s: float | None = None


class Output(Screen, Protocol):
    def show(self, event: Event) -> None: ...


class People(Renderer):
    """Output for people; questions go where remarks go."""

    def __init__(self) -> None:
        self._ask = Console(stderr=True, highlight=False)
        super().__init__(Console(highlight=False), self._ask)

    def question(self, text: str) -> None:
        self._ask.print(text, end="", markup=False)

    def picture(self, text: RenderableType) -> None:
        self._ask.print(text, end="", soft_wrap=True)


class JsonLines:
    """One event per line on stdout, for programs. Remarks go to stderr."""

    def show(self, event: Event) -> None:
        sys.stdout.write(json.dumps(event.to_wire()) + "\n")
        sys.stdout.flush()

    def remark(self, text: str, style: str = "") -> None:
        print(plain(text), file=sys.stderr)

    def question(self, text: str) -> None:
        raise AssertionError("nobody is asked in JSON mode")

    def picture(self, text: RenderableType) -> None:
        raise AssertionError("nobody is asked in JSON mode")


async def run(options: RunOptions) -> ExitCode:
    """Raises: SandboxAgentError."""
    output: Output = JsonLines() if options.as_json else People()
    is_ours = options.target.url is None
    session_id = options.session_id or (new_id("ses") if is_ours else None)
    with _leaving_on_signals():
        async with options.target.open(
            session_id=session_id, report=None if options.as_json else output.remark
        ) as client:
            session = await _session(client, options, session_id)
            if not options.as_json:
                output.remark(f"session {session.id} ({session.info.agent})")
            return await _Turn(session, options, output).play()


async def _session(client: SandboxAgent, options: RunOptions, session_id: str | None) -> Session:
    if options.session_id is None:
        return await client.create_session(
            options.agent or DEFAULT_AGENT,
            id=session_id,
            cwd=options.cwd,
            additional_directories=options.additional_directories or None,
            model=options.model,
            mode=options.mode,
            env=options.env or None,
            base_url=options.base_url,
            trust_workspace=options.trust_workspace,
            agent_options=options.agent_options or None,
        )
    session = await client.resume_or_create_session(
        options.session_id,
        options.agent or DEFAULT_AGENT,
        cwd=options.cwd,
        additional_directories=options.additional_directories or None,
        env=options.env or None,
        base_url=options.base_url,
        trust_workspace=options.trust_workspace,
        agent_options=options.agent_options or None,
    )
    if options.agent not in {None, session.info.agent}:
        raise InvalidRequest(
            f"Session {session.id} is one of {session.info.agent!r}, not {options.agent!r}."
        )
    if options.base_url is not None and options.base_url != session.info.base_url:
        raise InvalidRequest(f"Session {session.id} was made with another base URL, which stays.")
    if options.trust_workspace not in {None, session.info.trust_workspace}:
        word = "trusted" if session.info.trust_workspace else "not trusted"
        raise InvalidRequest(f"The workspace of session {session.id} is {word}, which stays.")
    if not set(options.additional_directories) <= set(session.info.additional_directories):
        raise InvalidRequest(f"Session {session.id} was made with other directories, which stay.")
    wanted = {to_camel(name): value for name, value in options.agent_options.items()}
    if not wanted.items() <= session.info.agent_options.items():
        raise InvalidRequest(f"Session {session.id} was made with other agent options, which stay.")
    if options.model not in {None, session.info.model}:
        await session.set_model(str(options.model))
    if options.mode not in {None, session.info.mode}:
        await session.set_mode(str(options.mode))
    return session


class _Turn:
    """The turn of a run and what it started, and how it is cut short: the first Ctrl-C cancels it, the second leaves."""

    def __init__(self, session: Session, options: RunOptions, output: Output) -> None:
        self._session = session
        self._options = options
        self._output = output
        is_tty = sys.stdin.isatty() and sys.stderr.isatty() and not options.as_json
        how: How = "yes" if options.allow_all else "ask" if is_tty else "no"
        self._approver = Approver(how, output)
        self._ends: list[TurnEnded | TurnDropped] = []
        self._cancelled_by: ExitCode | None = None
        self._cancelling: asyncio.Task[None] | None = None

    async def play(self) -> ExitCode:
        self._approver.attach(self._session)
        loop = asyncio.get_running_loop()
        watching = asyncio.create_task(self._watch())
        loop.add_signal_handler(signal.SIGINT, self._interrupted, watching)
        try:
            await asyncio.wait([watching], timeout=self._options.timeout_s)
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
            self._options.prompt, wait_for_background=self._options.wait_for_background
        )
        async with aclosing(stream) as events:
            async for event in events:
                self._approver.notify(event)
                self._output.show(event)
                if isinstance(event, (TurnEnded, TurnDropped)):
                    self._ends.append(event)

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
    return of_stop_reason(end.stop_reason) if isinstance(end, TurnEnded) else ExitCode.CANCELLED


@contextlib.contextmanager
def _leaving_on_signals() -> Iterator[None]:
    """Outside of a turn a signal leaves: the sandbox that was made is destroyed on the way out."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
