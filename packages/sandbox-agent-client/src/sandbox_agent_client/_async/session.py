"""One session: prompts, events, decisions, settings."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import OnReject, Reply, Resolution, Scope
from sandbox_agent_core.api.sessions import CancelResult, PromptAccepted, SessionInfo
from sandbox_agent_core.content import Prompt
from sandbox_agent_core.errors import SandboxAgentError, ServerUnreachable
from sandbox_agent_core.events import Event, PermissionRequested, QuestionRequested
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._async._backend import CALLBACKS_MAY_BE_ASYNC
from sandbox_agent_client._async.connection import Connection, WatchedTurn
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.reader import Subscriber
from sandbox_agent_client._async.requests import (
    AnswerValue,
    PermissionRequest,
    QuestionRequest,
    request_of,
)
from sandbox_agent_client._async.settling import Settling
from sandbox_agent_client._async.watch import Watch
from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import events as event_calls
from sandbox_agent_client._calls import requests as request_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._result import PromptResult
from sandbox_agent_client._turn import TurnReader
from sandbox_agent_client._work import WorkReader

__all__ = ["Session"]

logger = logging.getLogger(__name__)

FOLLOW_UP_GRACE_S = 2.0
"""After the end of a background task, in which an agent may begin a turn because of it. It takes milliseconds."""


class Session:
    """Made by the client. Methods raise `SandboxAgentError`s; the session lives on at the server."""

    def __init__(self, connection: Connection, info: SessionInfo) -> None:
        self._connection = connection
        self._info = info
        self._known_seq = info.last_seq
        self._has_warned = False
        self._watch = Watch(
            info.id,
            follow=self._follow,
            known_seq=lambda: self._known_seq,
            pending=self.requests,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self._info.agent} {self._info.status}>"

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def info(self) -> SessionInfo:
        """As of the last answer of the server; `refresh` asks again."""
        return self._info

    # -- turns

    async def prompt(self, prompt: Prompt, *, wait_for_background: bool = False) -> PromptResult:
        """Give the agent a prompt and wait until its turn is over. Survives lost connections.

        `wait_for_background`: also until the background tasks that it started are over, and the turns that the
        agent begins by itself because of them. Cancelling the wait does not cancel the turn: that is `cancel`.

        Raises:
            AgentProcessExited, AgentError: the turn ended with an error.
            CallbackError: `on_permission` or `on_question` called something that raised; the turn has ended.
            Unavailable: the server was stopped during the turn, which is over.
            ServerUnreachable: the server did not come back in time; the turn may go on.
        """
        accepted = await self._start(prompt)
        turn = TurnReader(accepted.turn_id)
        work = WorkReader(turn)
        follow = self._work_events if wait_for_background else self._turn_events
        async with aclosing(follow(turn, work, accepted.seq)) as events:
            async for event in events:
                await self._check_heard(event)
        await self._connection.sync(self._info)
        self._raise_failure(turn)
        return replace(turn.result(), tasks=work.tasks, follow_ups=work.follow_ups)

    async def prompt_stream(
        self, prompt: Prompt, *, cancel_on_exit: bool = False, wait_for_background: bool = False
    ) -> AsyncGenerator[Event, None]:
        """The events of one turn, the last is `TurnEnded` (or `TurnDropped`), which says how it ended.

        `wait_for_background`: then come those of its background tasks, and of the turns that the agent begins
        by itself because of them, up to the end of it all.

        Leaving the loop early does not cancel the turn, unless `cancel_on_exit`. What the agent asks is an
        event too: without a callback and a policy it waits for `respond`.

        Raises:
            CallbackError: after the last event, when a callback that was to answer in this turn has failed.
        """
        accepted = await self._start(prompt)
        turn = TurnReader(accepted.turn_id)
        # The client cancels it when it is closed first: after a `break` this generator is closed
        # by a task of the event loop, at a time of its own.
        ours = WatchedTurn(self.id, turn.turn_id)
        if cancel_on_exit:
            self._connection.cancel_on_exit.add(ours)
        try:
            follow = self._work_events if wait_for_background else self._turn_events
            async with aclosing(follow(turn, WorkReader(turn), accepted.seq)) as events:
                async for event in events:
                    yield event
            await self._connection.sync(self._info)
            self._raise_failure(turn)
        finally:
            if not turn.is_over:
                await self._connection.leave(ours)
            self._connection.cancel_on_exit.discard(ours)

    async def cancel(
        self,
        turn_id: str | None = None,
        *,
        task_id: str | None = None,
        tasks: bool | None = None,
    ) -> CancelResult:
        """Cancel what the session does: the running turn and all queued ones, or, when there is none, its
        background tasks. With `tasks=True` both, with `tasks=False` no task.

        With `turn_id` only that turn, running or queued; with `task_id` only that task (`info.tasks`).
        """
        return await self._connection.call(
            calls.cancel(self.id, turn_id, task_id=task_id, tasks=tasks)
        )

    # -- events

    def on_event(
        self,
        callback: Callable[[Event], Awaitable[object] | object],
        *,
        after: int | None = None,
        on_error: Callable[[SandboxAgentError], Awaitable[object] | object] | None = None,
    ) -> Callable[[], None]:
        """Call back with every event, one at a time, in the background. Returns what ends it.

        Starts after seq `after`; by default after the newest event that this object has heard of, so
        nothing that follows is missed. `on_error` is told when the stream cannot go on. A callback that raises
        is logged, and called with the next event all the same.

        Raises:
            TypeError: `callback` cannot be called with an event.
        """
        self._check(callback, "on_event", "the event")
        if on_error is not None:
            self._check(on_error, "on_error", "the error")
        self._connection.watching(self._watch)
        return self._watch.listen(Subscriber(callback, after=after, on_error=on_error))

    async def events(
        self, *, after: int = 0, limit: int | None = None, deltas: bool = True
    ) -> AsyncGenerator[Event, None]:
        """What is in the log now, and then ends. `deltas=False` leaves out what is repeated whole later."""
        given = 0
        async with aclosing(self._history(after, deltas=deltas)) as entries:
            async for entry in entries:
                event = project(entry)
                if event is None:
                    continue
                if given == limit:
                    return
                given += 1
                yield event

    async def stream(self, *, after: int | None = None) -> AsyncGenerator[Event, None]:
        """Every event after seq `after`, then live ones, without an end.

        By default from the newest event that this object has heard of. Reconnects by itself.
        """
        async with aclosing(self.frames(after=after)) as entries:
            async for entry in entries:
                event = project(entry)
                if event is not None:
                    yield event

    async def frames(self, *, after: int | None = None) -> AsyncGenerator[LogEntry, None]:
        """As `stream`, but every entry of the log with the raw JSON-RPC frame."""
        start = self._known_seq if after is None else after
        async with aclosing(self._follow(start, Interrupt())) as entries:
            async for entry in entries:
                yield entry

    async def transcript(self) -> Transcript:
        """The session so far as messages, tool calls, plan and usage."""
        return await self._connection.call(event_calls.transcript(self.id))

    # -- decisions

    def on_permission(
        self, callback: Callable[[PermissionRequest], Awaitable[object] | object]
    ) -> Callable[[], None]:
        """Call back with every permission that the agent waits for, also those it waits for already.

        One at a time. When somebody else answers first, that is no error. When the callback raises, or returns
        a `bool`, a text or the like instead of answering, the request is refused, the log says why, and the
        `prompt` of that turn raises `CallbackError`. One that returns nothing may answer later.
        Returns what ends it.

        Raises:
            TypeError: `callback` cannot be called with a request.
        """
        self._check(callback, "on_permission", "the request")
        self._connection.watching(self._watch)
        return self._watch.answer(PermissionRequest, callback)

    def on_question(
        self, callback: Callable[[QuestionRequest], Awaitable[object] | object]
    ) -> Callable[[], None]:
        """As `on_permission`, for questions. Raises: TypeError."""
        self._check(callback, "on_question", "the request")
        self._connection.watching(self._watch)
        return self._watch.answer(QuestionRequest, callback)

    async def requests(
        self, *, status: Literal["pending", "all"] = "pending"
    ) -> list[PermissionRequest | QuestionRequest]:
        """What the agent asked, oldest first."""
        found: list[PermissionRequest | QuestionRequest] = []
        cursor: str | None = None
        while True:
            page = await self._connection.call(
                request_calls.list_requests(self.id, status=status, cursor=cursor)
            )
            found += [request_of(info, self.respond) for info in page.requests]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def respond(
        self,
        request_id: str,
        *,
        option_id: str | None = None,
        reply: Reply | None = None,
        scope: Scope | None = None,
        message: str | None = None,
        updated_input: Mapping[str, Any] | None = None,
        on_reject: OnReject | None = None,
        answers: Mapping[str, AnswerValue] | None = None,
        decline: bool | None = None,
        actor: str | None = None,
    ) -> Resolution:
        """Answer a permission (`option_id` or `reply`) or a question (`answers` or `decline`).

        What else it can say (`scope`, `message`, `updated_input`, `on_reject`) is of permissions: see
        `PermissionRequest.allow` and `deny`.

        Raises:
            RequestAlreadyResolved: somebody was first.
            RequestNotFound: there is no such request.
            OperationNotSupported: the agent does not take one of these.
            InputForbidden: rules or the mode of the session deny the `updated_input`.
        """
        return await self._connection.call(
            request_calls.answer(
                self.id,
                request_id,
                option_id=option_id,
                reply=reply,
                scope=scope,
                message=message,
                updated_input=updated_input,
                on_reject=on_reject,
                answers=None if answers is None else dict(answers),
                decline=decline,
                actor=actor,
            )
        )

    # -- settings

    async def set_mode(self, mode: str) -> SessionInfo:
        """Raises: ModeNotSupported."""
        return await self._patch(mode=mode)

    async def set_model(self, model: str) -> SessionInfo:
        """Raises: ValueNotSupported."""
        return await self._patch(model=model)

    async def set_thought_level(self, thought_level: str) -> SessionInfo:
        """Raises: ValueNotSupported."""
        return await self._patch(thought_level=thought_level)

    async def set_config_option(self, config_id: str, value: str | bool) -> SessionInfo:
        """One of `info.config_options`. Raises: ValueNotSupported."""
        return await self._patch(config_options={config_id: value})

    async def set_permission_policy(
        self, policy: PermissionPolicy | Mapping[str, Any]
    ) -> SessionInfo:
        return await self._patch(permission_policy=policy)

    async def set_metadata(self, metadata: Mapping[str, Any]) -> SessionInfo:
        """Replaces the whole."""
        return await self._patch(metadata=dict(metadata))

    # -- life

    async def refresh(self) -> SessionInfo:
        """Ask the server for `info`."""
        return self._learn(await self._connection.call(calls.get(self.id)))

    async def end(self) -> None:
        """End the session and stop its agent. Its log stays readable; ending it again does nothing."""
        await self._connection.end(self.id)

    async def delete(self) -> None:
        """End the session and delete its log, at the server and in the `persistence` store, for good.

        Raises:
            SessionNotFound: it is deleted already.
        """
        await self._connection.delete(self.id)

    # -- inside

    def _check(self, callback: Callable[..., Any], name: str, argument: str) -> None:
        check_callback(callback, name, argument=argument, may_be_async=CALLBACKS_MAY_BE_ASYNC)

    def _raise_failure(self, turn: TurnReader) -> None:
        if (failure := self._watch.take_failure(turn.turn_id)) is not None:
            raise failure

    async def _check_heard(self, event: Event) -> None:
        """Say it once when the agent asks something and nobody here can hear it."""
        if not isinstance(event, (PermissionRequested, QuestionRequested)) or self._has_warned:
            return
        is_permission = isinstance(event, PermissionRequested)
        if self._watch.is_heard(PermissionRequest if is_permission else QuestionRequest):
            return
        # A policy decides in the moment of asking: then it waits for nobody.
        if all(request.id != event.request_id for request in await self.requests()):
            return
        self._has_warned = True
        logger.warning(
            "session %s: the agent waits for %s, and nobody here answers: give `create_session` a "
            "`permission_policy` or a `mode`, register `session.%s(…)`, or call `session.respond(%r, …)` from "
            "elsewhere. Until %s; then the answer is %s.",
            self.id,
            "a permission" if is_permission else "an answer",
            "on_permission" if is_permission else "on_question",
            event.request_id,
            event.expires_at,
            event.default,
        )

    async def _patch(self, **members: Any) -> SessionInfo:
        return self._learn(await self._connection.call(calls.patch(self.id, **members)))

    def _learn(self, info: SessionInfo) -> SessionInfo:
        self._info = info
        self._known_seq = max(self._known_seq, info.last_seq)
        return info

    async def _start(self, prompt: Prompt) -> PromptAccepted:
        accepted = await self._connection.call(calls.prompt(self.id, prompt))
        self._known_seq = max(self._known_seq, accepted.seq)
        return accepted

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

    async def _follow(self, after: int, interrupt: Interrupt) -> AsyncGenerator[LogEntry, None]:
        async with aclosing(self._connection.follow(self._info, after, interrupt)) as entries:
            async for entry in entries:
                self._known_seq = max(self._known_seq, entry.seq)
                yield entry

    def _history(self, after: int, *, deltas: bool = True) -> AsyncGenerator[LogEntry, None]:
        return self._connection.history(self._info, after, deltas=deltas)


def _closed_before(turn: TurnReader) -> ServerUnreachable:
    return ServerUnreachable(
        f"The client was closed before turn {turn.turn_id} ended; it goes on at the server.",
        turnId=turn.turn_id,
    )
