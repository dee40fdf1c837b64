"""Turns of a session that this client begins, followed to their end: of prompts, and of what else is a turn."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from sandbox_agent_core.api.prompts import PromptAccepted
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import ServerUnreachable
from sandbox_agent_core.events import (
    Event,
    HookRequested,
    PermissionRequested,
    QuestionRequested,
)

from sandbox_agent_client._async.connection import Connection, WatchedTurn
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.reader import Follow
from sandbox_agent_client._async.requests import (
    AfterTool,
    AnyRequest,
    BeforeTool,
    PermissionRequest,
    QuestionRequest,
)
from sandbox_agent_client._async.responder import ListPending
from sandbox_agent_client._async.settling import Settling
from sandbox_agent_client._async.watch import Watch
from sandbox_agent_client._calls.call import Call
from sandbox_agent_client._result import PromptResult
from sandbox_agent_client._turn import TurnReader
from sandbox_agent_client._work import WorkReader

__all__ = ["SessionTurns"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOLLOW_UP_GRACE_S = 2.0
"""After the end of a background task, in which an agent may begin a turn because of it. It takes milliseconds."""


class SessionTurns:
    def __init__(
        self,
        connection: Connection,
        watch: Watch,
        *,
        info: Callable[[], SessionInfo],
        heard_of: Callable[[int], None],
        follow: Follow,
        pending: ListPending,
        prepare: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`heard_of` is told of every seq that the server names. `prepare` goes before each turn."""
        self._connection = connection
        self._watch = watch
        self._info = info
        self.heard_of = heard_of
        self._follow = follow
        self._pending = pending
        self._prepare = prepare
        self._has_warned = False

    @property
    def session_id(self) -> str:
        return self._watch.session_id

    async def call(self, call: Call[T]) -> T:
        return await self._connection.call(call)

    async def begin(self, begin: Call[PromptAccepted]) -> PromptAccepted:
        """Begin a turn, and do not wait for it."""
        await self._prepare()
        accepted = await self._connection.call(begin)
        self.heard_of(accepted.seq)
        return accepted

    async def run(
        self, begin: Call[PromptAccepted], *, wait_for_background: bool = False
    ) -> PromptResult:
        """Begin a turn and wait until it is over. Raises what `Session.prompt` raises."""
        accepted = await self.begin(begin)
        return await self.result(
            accepted.turn_id, after=accepted.seq, wait_for_background=wait_for_background
        )

    async def result(
        self, turn_id: str, *, after: int, wait_for_background: bool = False
    ) -> PromptResult:
        """What came of a turn that began after a seq. Raises what `Session.prompt` raises."""
        turn = TurnReader(turn_id)
        work = WorkReader(turn)
        follow = self._work_events if wait_for_background else self._turn_events
        async with aclosing(follow(turn, work, after)) as events:
            async for event in events:
                await self._check_heard(event)
        await self._connection.sync(self._info())
        self._raise_failure(turn)
        return replace(turn.result(), tasks=work.tasks, follow_ups=work.follow_ups)

    async def events(self, turn_id: str, *, after: int) -> AsyncGenerator[Event, None]:
        """Those of a turn that began after a seq, up to its end."""
        turn = TurnReader(turn_id)
        async with aclosing(self._turn_events(turn, WorkReader(turn), after)) as events:
            async for event in events:
                yield event

    async def left_behind(self) -> None:
        """Turns of the session that are being cancelled because their stream was left have ended."""
        await self._connection.left_behind(self.session_id)

    async def stream(
        self,
        begin: Call[PromptAccepted],
        *,
        cancel_on_exit: bool = False,
        wait_for_background: bool = False,
    ) -> AsyncGenerator[Event, None]:
        """As `run`, event by event."""
        accepted = await self.begin(begin)
        turn = TurnReader(accepted.turn_id)
        # The client cancels it when it is closed first: after a `break` this generator is closed
        # by a task of the event loop, at a time of its own.
        ours = WatchedTurn(self._watch.session_id, turn.turn_id)
        if cancel_on_exit:
            self._connection.cancel_on_exit.add(ours)
        try:
            follow = self._work_events if wait_for_background else self._turn_events
            async with aclosing(follow(turn, WorkReader(turn), accepted.seq)) as events:
                async for event in events:
                    try:
                        yield event
                    except GeneratorExit:
                        # Closing the stream takes a moment, in which somebody may ask what came of the turn.
                        self._connection.begins_to_leave(ours)
                        raise
                    if not self._connection.is_answered_by_hand:
                        await self._check_heard(event)
            await self._connection.sync(self._info())
            self._raise_failure(turn)
        finally:
            if not turn.is_over:
                await self._connection.leave(ours, self._info())
            self._connection.cancel_on_exit.discard(ours)

    def _raise_failure(self, turn: TurnReader) -> None:
        if (failure := self._watch.take_failure(turn.turn_id)) is not None:
            raise failure

    async def _check_heard(self, event: Event) -> None:
        """Say it once when the agent asks something and nobody here can hear it."""
        asked = _asked(event)
        if asked is None or self._has_warned:
            return
        kind, what, method = asked
        if self._watch.is_heard(kind):
            return
        assert isinstance(event, (PermissionRequested, QuestionRequested, HookRequested))
        # A policy decides in the moment of asking: then it waits for nobody.
        if all(request.id != event.request_id for request in await self._pending()):
            return
        self._has_warned = True
        logger.warning(
            "session %s: the agent waits for %s, and nobody here answers: give `create_session` a "
            "`permission_policy` or a `mode`, register `session.%s(…)`, or call `session.respond(%r, …)` from "
            "elsewhere. Until %s; then the answer is %s.",
            self._watch.session_id,
            what,
            method,
            event.request_id,
            event.expires_at,
            event.default,
        )

    async def _turn_events(
        self, turn: TurnReader, work: WorkReader, after: int
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._follow(after, Interrupt())) as entries:
            async for entry in entries:
                event = work.take(entry)
                if event is not None and event.turn_id == turn.turn_id:
                    yield event
                if turn.is_over:
                    return
        raise _closed_before(turn)

    async def _work_events(
        self, turn: TurnReader, work: WorkReader, after: int
    ) -> AsyncGenerator[Event, None]:
        interrupt = Interrupt()
        settling = Settling(interrupt, grace_s=FOLLOW_UP_GRACE_S)
        try:
            async with aclosing(self._follow(after, interrupt)) as entries:
                async for entry in entries:
                    event = work.take(entry)
                    if event is not None:
                        yield event
                    if work.is_over:
                        return
                    if work.is_settling:
                        settling.begin()
                    else:
                        await settling.end()
        finally:
            await settling.end()
        if not settling.is_over:
            raise _closed_before(turn)


def _asked(event: Event) -> tuple[type[AnyRequest], str, str] | None:
    """Who is asked by an event: the class of the request, what is waited for, the method that registers a callback."""
    match event:
        case PermissionRequested(hook=None):
            return PermissionRequest, "a permission", "on_permission"
        case PermissionRequested() | HookRequested(hook="before_tool"):
            return BeforeTool, "a hook", "on_tool"
        case HookRequested():
            return AfterTool, "a hook", "on_tool"
        case QuestionRequested():
            return QuestionRequest, "an answer", "on_question"
        case _:
            return None


def _closed_before(turn: TurnReader) -> ServerUnreachable:
    return ServerUnreachable(
        f"The client was closed before turn {turn.turn_id} ended; it goes on at the server.",
        turnId=turn.turn_id,
    )
