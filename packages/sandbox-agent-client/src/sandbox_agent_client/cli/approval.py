"""Who answers when the agent asks: the person at the terminal, `--yes`, or nobody (then: no)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from sandbox_agent_core.api.requests import Resolution
from sandbox_agent_core.events import (
    Diff,
    Event,
    PermissionRequested,
    PermissionResolved,
    Question,
    QuestionResolved,
)
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_client._async.requests import AnswerValue, PermissionRequest, QuestionRequest
from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.plain import visible
from sandbox_agent_client.cli.terminal import choose, read_line

__all__ = ["Approver", "How", "Screen", "about", "chosen"]

REPLIES = ("once", "always", "reject")
WHY = "  why, for the agent (empty: no reason)? "
ASK = "  (o)nce, (a)lways, (r)eject? "
How = Literal["ask", "yes", "no"]


class Screen(Protocol):
    """Where questions are put."""

    def remark(self, text: str, style: str = ...) -> None: ...

    def question(self, text: str) -> None:
        """Without a newline at its end."""
        ...

    def change(self, diff: Diff, tool_call_id: str | None) -> None:
        """What it would do to a file."""
        ...

    def terminal(self) -> AbstractAsyncContextManager[None]:
        """While somebody is asked: nobody else reads from it."""
        ...


class Approver:
    """Answers the requests of one session. Told every event, so that it stops asking what is decided."""

    def __init__(
        self, how: How, screen: Screen, *, actor: str = "sandbox-agent run", fd: int = 0
    ) -> None:
        """`actor` is who answers, for the record."""
        self.unanswered = 0
        """Permissions and questions that got no answer: nobody could be asked in time, or there was none to give."""
        self._how = how
        self._actor = actor
        self._takes_reasons = False
        self._screen = screen
        self._fd = fd
        self._open: dict[str, asyncio.Task[None]] = {}
        self._answering: set[str] = set()
        """Those that the person has answered here: the news of it withdraws nothing."""
        # One question at a time, permissions and questions alike.
        self._turn_to_ask = asyncio.Lock()

    def attach(self, session: Session) -> None:
        capabilities = AgentCapabilities.read(session.info.capabilities)
        self._takes_reasons = "message" in capabilities.permission_answers
        session.on_permission(self._permission)
        session.on_question(self._question)

    def notify(self, event: Event) -> None:
        """Somebody else, the clock or a cancel decided: the question on the screen is void."""
        if isinstance(event, (PermissionResolved, QuestionResolved)):
            if event.decided_by == "timeout":
                self.unanswered += 1
            task = self._open.get(event.request_id)
            if task is not None and event.request_id not in self._answering:
                task.cancel()
                self._screen.remark("")  # the question has no end of line

    async def _permission(self, request: PermissionRequest) -> None:
        match self._how:
            case "yes":
                self._check(request, await request.allow_once(actor=f"{self._actor} --yes"))
            case "no":
                self.unanswered += 1
                self._screen.remark(
                    f"refused, because nobody can be asked here: {about(request)} (--yes allows)",
                    "yellow",
                )
                await request.reject(actor=f"{self._actor} (no terminal)")
            case "ask":
                await self._ask(request.id, lambda: self._ask_permission(request))

    def _check(self, request: PermissionRequest, resolution: Resolution) -> None:
        """An agent may offer nothing that is a yes."""
        if resolution.outcome != "selected":
            self.unanswered += 1
            self._screen.remark(
                f"could not be allowed, the agent offers no option that allows: {about(request)}",
                "yellow",
            )

    async def _question(self, request: QuestionRequest) -> None:
        if self._how == "ask":
            await self._ask(request.id, lambda: self._ask_questions(request))
        else:
            self.unanswered += 1
            self._screen.remark(f"declined to answer: {request.message}", "yellow")
            await request.decline(actor=self._actor)

    async def _ask(self, request_id: str, ask: Callable[[], Awaitable[None]]) -> None:
        async def in_turn() -> None:
            async with self._turn_to_ask, self._screen.terminal():
                await ask()

        task = self._open[request_id] = asyncio.create_task(in_turn())
        try:
            await asyncio.wait([task])
        finally:
            del self._open[request_id]
            task.cancel()
        if not task.cancelled():
            task.result()

    async def _ask_permission(self, request: PermissionRequest) -> None:
        self._screen.remark(f"The agent asks: {about(request)}", "bold yellow")
        call = request.tool_call
        for diff in request.diffs:
            self._screen.change(diff, call.tool_call_id if call is not None else None)
        while True:
            self._screen.question(ASK)
            line = await read_line(self._fd)
            if line is None:
                await request.reject(actor=f"{self._actor} (end of input)")
                return
            reply = choose(line, REPLIES)
            if reply is not None:
                self._answering.add(request.id)
            match reply:
                case "once":
                    self._check(request, await request.allow_once(actor=self._actor))
                    return
                case "always":
                    self._check(request, await request.allow_always(actor=self._actor))
                    return
                case "reject":
                    await request.deny(message=await self._reason(), actor=self._actor)
                    return

    async def _reason(self) -> str | None:
        """For the model, of an agent that takes one."""
        if not self._takes_reasons:
            return None
        self._screen.question(WHY)
        return await read_line(self._fd) or None

    async def _ask_questions(self, request: QuestionRequest) -> None:
        if request.message:
            self._screen.remark(request.message, "bold yellow")
        answers: dict[str, AnswerValue] = {}
        for question in request.questions:
            answer = await self._ask_one(question)
            if answer is None:
                await request.decline(actor=self._actor)
                return
            answers[question.id] = answer
        await request.answer(answers, actor=self._actor)

    async def _ask_one(self, question: Question) -> AnswerValue | None:
        """None when the person declines (an empty line or the end of input)."""
        self._screen.remark(question.question, "bold yellow")
        for number, option in enumerate(question.options, 1):
            about = f": {option.description}" if option.description else ""
            self._screen.remark(f"  {number} {option.label}{about}", "")
        several = ", several with commas" if question.multi_select else ""
        hint = f"number{several}" if question.options else "answer"
        self._screen.question(f"  {hint}, empty to decline: ")
        line = await read_line(self._fd)
        if not line:
            return None
        if question.multi_select:
            return [str(chosen(question, part.strip())) for part in line.split(",")]
        return chosen(question, line)


def chosen(question: Question, answer: str) -> str | bool | float:
    """The value of the option with that number or label; else what was typed."""
    labels = [option.label.casefold() for option in question.options]
    if answer.isdecimal() and 1 <= int(answer) <= len(labels):
        number = int(answer) - 1
    elif answer.casefold() in labels:
        number = labels.index(answer.casefold())
    else:
        return answer
    option = question.options[number]
    value = option.value if option.value is not None else option.label
    return value if isinstance(value, (str, bool, float)) else str(value)


def about(request: PermissionRequest | PermissionRequested) -> str:
    """With the command, or else the files: a title alone may be anything."""
    call = request.tool_call
    title, told = call.title if call else "", request.command or ", ".join(request.paths)
    if not told or told in title:
        return visible(title or "a tool call")
    return visible(f"{title}: {told}" if title else told)
