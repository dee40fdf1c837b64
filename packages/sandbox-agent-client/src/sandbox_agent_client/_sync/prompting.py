# Generated from `_async/prompting.py` by `scripts/unasync.py`: do not edit.
"""What a session does in turns: prompts, and what else makes the agent work."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from typing import Any, TypeVar, overload

from sandbox_agent_core.api.long_work import SteerResult
from sandbox_agent_core.api.prompts import CancelResult
from sandbox_agent_core.api.turns import TurnSummary
from sandbox_agent_core.content import Prompt
from sandbox_agent_core.errors import OutputInvalid
from sandbox_agent_core.events import Event

from sandbox_agent_client._calls import long_work
from sandbox_agent_client._calls import turns as calls
from sandbox_agent_client._calls.events import BEHIND_ALL
from sandbox_agent_client._limits import Allowance, limits_of
from sandbox_agent_client._output import MAX_REPAIRS, OutputReader
from sandbox_agent_client._result import PromptResult, StructuredResult
from sandbox_agent_client._sync.turn import TurnSync
from sandbox_agent_client._sync.turns import SessionTurns

__all__ = ["Prompting"]

PAGE_TURNS = 1000

T = TypeVar("T")


class Prompting:
    """The part of a session that begins turns and ends them."""

    def __init__(self, turns: SessionTurns) -> None:
        self._turns = turns

    @overload
    def prompt(
        self,
        prompt: Prompt,
        *,
        output_type: None = None,
        timeout: float | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
        wait_for_background: bool = False,
    ) -> PromptResult: ...

    @overload
    def prompt(
        self,
        prompt: Prompt,
        *,
        output_type: type[T],
        max_repairs: int = MAX_REPAIRS,
        timeout: float | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
        wait_for_background: bool = False,
    ) -> StructuredResult[T]: ...

    def prompt(
        self,
        prompt: Prompt,
        *,
        output_type: type[Any] | None = None,
        max_repairs: int = MAX_REPAIRS,
        timeout: float | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
        wait_for_background: bool = False,
    ) -> PromptResult:
        """Give the agent a prompt and wait until its turn is over. Survives lost connections.

        `wait_for_background`: also until the background tasks that it started are over, and the turns that the
        agent begins by itself because of them. Cancelling the wait does not cancel the turn: that is `cancel`.

        `output_type`: a pydantic model, or another type that has a JSON schema; `output` of the result is of it.
        Agents that keep to a schema are given it; others are asked in words. An answer that does not fit is asked
        for again, in turns of their own, at most `max_repairs` times. Limits are for all of them together.

        Raises:
            OutputInvalid: the answer did not fit in the end, or a limit came first; `result` of it has what there is.
            CostUnknown: `max_cost`, and nobody can tell what a turn of this agent, or its model, costs.
            AgentProcessExited, AgentError: the turn ended with an error.
            CallbackError: `on_permission` or `on_question` called something that raised; the turn has ended.
            Unavailable: the server was stopped during the turn, which is over.
            ServerUnreachable: the server did not come back in time; the turn may go on.
        """
        limits = limits_of(timeout=timeout, max_turns=max_turns, max_cost=max_cost)
        if output_type is None:
            return self._turns.run(
                calls.prompt(self._turns.session_id, prompt, limits=limits),
                wait_for_background=wait_for_background,
            )
        reader: OutputReader[Any] = OutputReader(output_type)
        allowance = Allowance.begun(limits, time.monotonic)
        repairs = 0
        while True:
            result = self._turns.run(
                calls.prompt(
                    self._turns.session_id,
                    prompt,
                    output_schema=reader.schema,
                    limits=allowance.limits,
                ),
                wait_for_background=wait_for_background,
            )
            try:
                return reader.read(result, repairs=repairs)
            except OutputInvalid as exc:
                is_over = repairs >= max_repairs or result.stop_reason != "end_turn"
                if is_over or not allowance.take(result):
                    raise
                prompt = reader.repair_prompt(exc)
            repairs += 1

    def prompt_stream(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
        cancel_on_exit: bool = False,
        wait_for_background: bool = False,
    ) -> Generator[Event, None, None]:
        """The events of one turn, the last is `TurnEnded` (or `TurnDropped`), which says how it ended.

        `timeout`, `max_turns`, `max_cost`: as for `prompt`; `limit` of the last event names the one that stopped it.

        `wait_for_background`: then come those of its background tasks, and of the turns that the agent begins
        by itself because of them, up to the end of it all.

        Leaving the loop early does not cancel the turn, unless `cancel_on_exit`: then whoever leaves it, by an error,
        a time limit or `break`, waits until the turn has ended, at most half a minute. `turn(id).info()` and
        `transcript()` wait for that too, and have all of it.

        What the agent asks is an event too: without a callback and a policy it waits for `respond`.

        Raises:
            CallbackError: after the last event, when a callback that was to answer in this turn has failed.
        """
        turn = self._turns.stream(
            calls.prompt(
                self._turns.session_id,
                prompt,
                limits=limits_of(timeout=timeout, max_turns=max_turns, max_cost=max_cost),
            ),
            cancel_on_exit=cancel_on_exit,
            wait_for_background=wait_for_background,
        )
        with closing(turn) as events:
            for event in events:
                yield event

    def send(
        self,
        prompt: Prompt,
        *,
        timeout: float | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
    ) -> TurnSync:
        """Give the agent a prompt, and do not wait for its turn: `result` of the turn does. Limits as for `prompt`.

        Its callbacks, and whoever else follows the session, answer what the agent asks.

        Raises:
            SessionClosed, LimitReached, InvalidRequest: the prompt was not accepted.
        """
        limits = limits_of(timeout=timeout, max_turns=max_turns, max_cost=max_cost)
        accepted = self._turns.begin(calls.prompt(self._turns.session_id, prompt, limits=limits))
        return TurnSync(self._turns, accepted.turn_id, seq=accepted.seq)

    def turn(self, turn_id: str) -> TurnSync:
        """A turn of the session by its id, of whoever has begun it, and also of long ago. Asks nobody: what there is
        to know of it, and whether there is such a turn, its methods say."""
        return TurnSync(self._turns, turn_id)

    def turns(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[TurnSummary]:
        """The turns so far, oldest first: how each ended, when it was, the beginning of its prompt, and `seq`, where it
        is in the log (`events(after=turn.seq - 1)`). All of them, or those between seq `after` and seq `before`.

        `reverse`: newest first, so that a `limit` is of the newest.
        """
        self._turns.left_behind()
        found: list[TurnSummary] = []
        begin: int | None = after
        end: int | None = BEHIND_ALL if before is None else before
        while begin is not None and end is not None and (limit is None or len(found) < limit):
            page = self._turns.call(
                calls.list_page(
                    self._turns.session_id,
                    after=begin,
                    before=end if reverse else None,
                    limit=PAGE_TURNS if limit is None else min(PAGE_TURNS, limit - len(found)),
                )
            )
            if reverse:
                found += reversed(page.turns)
                end = page.previous_cursor
            else:
                wanted = [turn for turn in page.turns if turn.seq < end]
                found += wanted
                begin = page.next_cursor if len(wanted) == len(page.turns) else None
        return found

    def steer(self, prompt: Prompt) -> SteerResult:
        """Say something into the turn that runs. `how` of the result says what became of it: `steered`, `queued`
        as a turn of its own, because the agent did not take it, or `started`, because no turn ran."""
        steered = self._turns.call(long_work.steer(self._turns.session_id, prompt))
        self._turns.heard_of(steered.seq)
        return steered

    def compact(self, instructions: str | None = None) -> PromptResult:
        """Have the agent put a summary in place of the conversation so far, in a turn. `ContextCompacted` says what
        came of it.

        Raises:
            OperationNotSupported: the agent cannot. And what `prompt` raises.
        """
        return self._turns.run(long_work.compact(self._turns.session_id, instructions))

    def review(
        self,
        *,
        branch: str | None = None,
        commit: str | None = None,
        instructions: str | None = None,
    ) -> PromptResult:
        """Have the agent review the uncommitted changes, those against `branch`, of `commit`, or what
        `instructions` say. One that has no review is asked for it in words (`TurnStarted.emulated`).

        Raises what `prompt` raises.
        """
        target = long_work.target_of(branch=branch, commit=commit, instructions=instructions)
        return self._turns.run(long_work.review(self._turns.session_id, target))

    def cancel(
        self,
        turn_id: str | None = None,
        *,
        task_id: str | None = None,
        tasks: bool | None = None,
        wait: bool = False,
    ) -> CancelResult:
        """Cancel what the session does: the running turn and all queued ones, or, when there is none, its
        background tasks. With `tasks=True` both, with `tasks=False` no task.

        With `turn_id` only that turn, running or queued; with `task_id` only that task (`info.tasks`).

        `wait`: until the turns have ended, at the latest until the server's `cancel_wait_s` (20 s) is over; `turns` of
        the result says how each ended, what it used and cost.
        """
        return self._turns.call(
            calls.cancel(self._turns.session_id, turn_id, task_id=task_id, tasks=tasks, wait=wait)
        )
