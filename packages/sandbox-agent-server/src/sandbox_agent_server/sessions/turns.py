"""Turns of a session: one runs, the others wait in order. Each has exactly one end, also one that the agent
began by itself."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from sandbox_agent_core.errors import (
    LimitReached,
    SandboxAgentError,
    StorageError,
)
from sandbox_agent_core.events import LimitKind
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection import stop_reason, token_usage, turn_use
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.agents.runner.failures import error_of_frame
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import retry_delays
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import SessionAgent
from sandbox_agent_server.sessions.context import context_block, schema_text
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.turn import Turn, TurnOutcome, Work
from sandbox_agent_server.sessions.turn_limits import LimitWatch

__all__ = ["Turns"]

logger = logging.getLogger(__name__)


class Turns:
    def __init__(
        self, conversation: Conversation, agent: SessionAgent, limits: Limits, tasks: TaskOwner
    ) -> None:
        self.is_held = False
        """True while the session is being stopped: nothing starts."""
        self._pauses = 0
        self._conversation = conversation
        self._agent = agent
        self._limits = limits
        self._tasks = tasks
        self._current: Turn | None = None
        self._ending: Turn | None = None
        """Its last entry is on the way into the log."""
        self._own: Turn | None = None
        """One that the agent began by itself. Prompts wait for its end, but for one that was on its way."""
        self._queued: deque[Turn] = deque()
        self._is_waking = False
        self._retry_delays = retry_delays()
        self.stop_tasks_of: Callable[[str], object] = lambda _turn_id: None
        """Background tasks that a turn has started."""
        conversation.observers.append(self._look)

    @property
    def running(self) -> Turn | None:
        """The turn that the agent works on, or has just answered."""
        return self._current or self._ending or self._own

    @property
    def open(self) -> list[Turn]:
        """All that have no end in the log yet, those of the agent's own first."""
        return [turn for turn in (self._own, self._current or self._ending) if turn is not None]

    @property
    def unended(self) -> dict[str, Turn]:
        """Those that are open, and those that wait, by their ids."""
        return {turn.id: turn for turn in (*self.open, *self._queued)}

    @property
    def is_idle(self) -> bool:
        return self.running is None and not self._queued

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing starts meanwhile; what comes is queued."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            self._advance()

    @property
    def _may_start(self) -> bool:
        return self.running is None and not self.is_held and not self._pauses

    # Beginning

    def begin(self, work: Work, turn_id: str | None = None) -> tuple[Turn, int, int]:
        """Start a turn, or queue it behind the running one. Returns `(turn, position, cursor before it)`.
        `turn_id`: when the caller has to know it before it is in the log.

        Raises:
            LimitReached, StorageError: it was not accepted.
        """
        turn = Turn(turn_id or new_id("turn"), work)
        before = self._conversation.log.last_seq
        if self._may_start and not self._queued and self._agent.is_ready:
            self._start(turn)
            self._set_deadline(turn)
            return turn, 0, before
        if len(self._queued) >= self._limits.max_queued_turns + (self.running is None):
            raise LimitReached(
                f"{len(self._queued)} turns are queued already; wait for one to end",
                limit="max_queued_turns",
                value=self._limits.max_queued_turns,
            )
        turn.size_bytes = len(dumps(work.params))
        waiting = sum(one.size_bytes for one in self._queued)
        if waiting and waiting + turn.size_bytes > self._limits.max_queued_bytes:
            raise LimitReached(
                f"{waiting} bytes of prompts are queued already; wait for a turn to end",
                limit="max_queued_bytes",
                value=self._limits.max_queued_bytes,
            )
        position = len(self._queued) + (self.running is not None)
        params = {"turnId": turn.id, **work.data(), "position": position}
        self._conversation.state_entries((extensions.TURN_QUEUED, params))
        self._queued.append(turn)
        self._set_deadline(turn)
        self._advance()
        return turn, position, before

    def _start(self, turn: Turn) -> None:
        work = turn.work
        params = {**work.params, "sessionId": self._conversation.state.agent_session_id}
        if work.takes_context and self._agent.context:
            params["prompt"] = [context_block(self._agent.context), *params["prompt"]]
        if work.output_schema is not None:
            params |= self._with_schema(params, work.output_schema)
        self._conversation.begin_turn(
            work.method, params, turn.id, marks=work.annotations, asked=work.asked
        )
        if work.takes_context:
            self._agent.context = None
        self._current = turn
        turn.watch = self._watched(turn)
        self._retry_delays = retry_delays()

    def _with_schema(self, params: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """For an agent that keeps to schemas; others are told of it in words."""
        if AgentCapabilities.read(self._conversation.state.capabilities).output_schema:
            return {"_meta": {"outputSchema": dict(schema)}}
        return {"prompt": [*params["prompt"], context_block(schema_text(schema))]}

    def _advance(self) -> None:
        """Start the next queued turn, bringing the agent up first where needed."""
        if not self._queued or not self._may_start:
            return
        if not self._agent.is_ready:
            if not self._is_waking:
                self._is_waking = True
                self._tasks.spawn(self._wake_agent(), name="wake")
            return
        try:
            self._start(self._queued[0])
        except StorageError as exc:
            self._advance_later(exc)
        else:
            self._queued.popleft()

    def _advance_later(self, exc: StorageError) -> None:
        logger.error(
            "session %s: cannot start turn %s: %s",
            self._conversation.log.session_id,
            self._queued[0].id,
            exc.message,
        )
        asyncio.get_running_loop().call_later(next(self._retry_delays), self._advance)

    async def _wake_agent(self) -> None:
        try:
            await self._agent.start()
        except StorageError as exc:
            if self._queued:
                self._advance_later(exc)
            return
        except SandboxAgentError as exc:
            if self._queued:
                try:
                    self._fail(self._queued[0], exc)
                except StorageError as storage_error:
                    self._advance_later(storage_error)
                    return
                self._queued.popleft()
        finally:
            self._is_waking = False
        self._advance()

    def _fail(self, turn: Turn, error: SandboxAgentError) -> None:
        """A turn whose agent cannot be started: it starts and ends, so that everybody sees it.

        Raises:
            StorageError: it still waits.
        """
        conversation = self._conversation
        step = conversation.step()
        conversation.stamper.begin_turn(step, turn.id)
        work = turn.work
        request = conversation.own_request(step, work.method, {"sessionId": None, **work.params})
        conversation.stamper.client_frame(step, request, annotations=work.annotations)
        conversation.stamper.forget_asked()
        outcome = self.close(turn, TurnOutcome("error", error=error), step)
        conversation.log.append(step)
        turn.finish(outcome)

    # Limits

    def _set_deadline(self, turn: Turn) -> None:
        limits = turn.work.limits
        if limits is not None and limits.timeout_seconds is not None:
            turn.deadline = asyncio.get_running_loop().call_later(
                limits.timeout_seconds, self._stop_at_limit, turn, "timeout"
            )

    def _watched(self, turn: Turn) -> LimitWatch | None:
        limits = turn.work.limits
        if limits is None or limits.max_turns is limits.max_cost is None:
            return None
        return LimitWatch(
            turn.id,
            self._conversation.meter,
            max_turns=limits.max_turns,
            max_cost=limits.max_cost,
        )

    def _look(self, step: SessionStep) -> None:
        """An observer of steps."""
        turn = self._current
        if turn is None or turn.watch is None or turn.is_cancelling:
            return
        if (limit := turn.watch.reached(step)) is not None:
            # Not now: an observer must not append.
            asyncio.get_running_loop().call_soon(self._stop_at_limit, turn, limit)

    def _stop_at_limit(self, turn: Turn, limit: LimitKind) -> None:
        if turn.outcome is not None or turn.is_cancelling or turn is self._ending:
            return
        logger.info(
            "session %s: turn %s is stopped: %s", self._conversation.log.session_id, turn.id, limit
        )
        turn.limit = limit
        try:
            self.cancel(turn.id)
            self.stop_tasks_of(turn.id)
        except StorageError as exc:
            logger.error(
                "session %s: cannot stop turn %s: %s",
                self._conversation.log.session_id,
                turn.id,
                exc.message,
            )
            delay = next(self._retry_delays)
            turn.deadline = asyncio.get_running_loop().call_later(
                delay, self._stop_at_limit, turn, limit
            )

    def notes_at_end(self, turn_id: str | None, result: Mapping[str, Any]) -> dict[str, Any]:
        """What the agent does not say itself of a turn that ends: what it has used, and what stopped it."""
        meter = self._conversation.meter
        notes = meter.so_far() if meter.turn_id == turn_id else {}
        if token_usage(dict(result)) is not None:
            notes.pop("usage", None)
        turn = next((one for one in self.open if one.id == turn_id), None)
        if turn is not None and turn.limit is not None:
            notes["limit"] = turn.limit
        return notes

    # Ends

    def answered(self, step: SessionStep, frame: Frame) -> None:
        """The agent answered what began the turn; the step with its answer is about to be committed."""
        self._current, self._ending = None, self._current
        outcome = TurnOutcome.of_answer(frame, step.drafts[-1].annotations)
        step.after_commit(partial(self._finish, outcome))

    def _finish(self, outcome: TurnOutcome) -> None:
        turn, self._current, self._ending = self._current or self._ending, None, None
        if turn is not None:
            turn.finish(outcome)
        self._advance()

    def own_begun(self, turn_id: str) -> None:
        """The agent goes on by itself; the step that says so is about to be committed."""
        self._own = Turn(turn_id)

    def own_ended(self, step: SessionStep, frame: Frame) -> None:
        params = as_dict(frame.get("params"))
        use = turn_use(step.drafts[-1].annotations, params)
        outcome = TurnOutcome(stop_reason(params), use)
        if params.get("error") is not None:
            outcome = TurnOutcome("error", use, error=error_of_frame({"error": params["error"]}))
        step.after_commit(partial(self._finish_own, outcome))

    def _finish_own(self, outcome: TurnOutcome) -> None:
        turn, self._own = self._own, None
        if turn is not None:
            turn.finish(outcome)
        self._advance()

    def close(self, turn: Turn, outcome: TurnOutcome, step: SessionStep) -> TurnOutcome:
        """Add the entries that end a turn which the agent will not end. Returns how, with what it has used."""
        stamper = self._conversation.stamper
        stamper.close_turn(step, turn.id)
        outcome = replace(outcome, use=self.notes_at_end(turn.id, {}))
        self._conversation.meter.end(turn.id)
        params: dict[str, Any] = {
            "turnId": turn.id,
            "stopReason": outcome.stop_reason,
            **outcome.use,
        }
        if outcome.error is not None:
            params["error"] = {"code": outcome.error.code, "message": outcome.error.message}
            if outcome.error.details:
                params["error"]["data"] = outcome.error.details
        stamper.server_entry(step, extensions.TURN_ENDED, params)
        step.ends_turn = True
        stamper.end_turn(turn.id)
        if turn is self._own:
            self._own = None
        else:
            self._current = self._ending = None
        return outcome

    def gone(self, ended: list[tuple[Turn, TurnOutcome]]) -> None:
        """The agent is gone, and what was to be said of that was said."""
        for turn, outcome in ended:
            turn.finish(outcome)
        self._advance()

    def _end_ourselves(self, turn: Turn, outcome: TurnOutcome, step: SessionStep) -> None:
        outcome = self.close(turn, outcome, step)
        try:
            self._conversation.log.append(step)
        finally:
            turn.finish(outcome)

    # Cancelling

    def cancel(self, turn_id: str | None) -> list[str]:
        """Cancel one turn, or the running one and all queued. Returns the turns that this stops."""
        cancelled = []
        if turn_id is None:
            cancelled += self.drop_queue("cancelled")
        else:
            for turn in [turn for turn in self._queued if turn.id == turn_id]:
                self._drop(turn, "cancelled")
                cancelled.append(turn.id)
        at_work = [
            turn
            for turn in (self._current, self._own)
            if turn is not None and turn_id in (None, turn.id)
        ]
        fresh = [turn for turn in at_work if not turn.is_cancelling]
        if fresh:
            self.ask_to_cancel()
        for turn in fresh:
            turn.is_cancelling = True
            turn.grace = asyncio.get_running_loop().call_later(
                self._limits.cancel_grace_s, self._cancel_by_force, turn
            )
        return [turn.id for turn in at_work] + cancelled

    def drop_queue(self, reason: str) -> list[str]:
        dropped = []
        while self._queued:
            dropped.append(self._queued[0].id)
            self._drop(self._queued[0], reason)
        return dropped

    def _drop(self, turn: Turn, reason: str) -> None:
        use = {} if turn.limit is None else {"limit": turn.limit}
        params = {"turnId": turn.id, "reason": reason, **use}
        self._conversation.state_entries((extensions.TURN_DROPPED, params))
        self._queued.remove(turn)
        turn.finish(TurnOutcome("cancelled" if reason == "cancelled" else "interrupted", use))

    def stop(self, outcome: TurnOutcome) -> None:
        """The session is being stopped: tell the agent. Raises: StorageError."""
        is_cancel = outcome.stop_reason == "cancelled"
        self.drop_queue("session_ended" if is_cancel else "interrupted")
        at_work = [turn for turn in (self._current, self._own) if turn is not None]
        for turn in at_work:
            turn.is_cancelling = is_cancel
        if at_work and self._agent.is_running:
            self.ask_to_cancel()

    def stopped(self, outcome: TurnOutcome) -> None:
        """The agent is gone; a turn that it did not end ends now. Raises: StorageError."""
        for turn in (self._own, self._current):
            if turn is not None:
                self._end_ourselves(turn, outcome, self._conversation.step())

    def abandon(self) -> None:
        """The session was stopped: what still waits could not be dropped in the log, which whoever opens the
        session next does."""
        while self._queued:
            self._queued.popleft().finish(TurnOutcome("interrupted"))

    def ask_to_cancel(self) -> None:
        """ACP: the client answers every open permission of the turn `cancelled`, and the agent ends it."""
        conversation = self._conversation
        step = conversation.step()
        params = {"sessionId": conversation.state.agent_session_id}
        conversation.notify(step, acp.SESSION_CANCEL, params)
        for answer in conversation.requests.cancel_in_foreground(step):
            step.after_commit(partial(conversation.to_agent, answer))
        conversation.log.append(step)

    def _cancel_by_force(self, turn: Turn) -> None:
        if turn in (self._current, self._own):
            logger.warning(
                "session %s: the agent ignored the cancel for %s s, stopping it",
                self._conversation.log.session_id,
                self._limits.cancel_grace_s,
            )
            self._agent.kill_soon()
