"""A session: a conversation with an agent that has turns, a queue, settings and a life.

Whatever changes it is one synchronous step in the event loop: decide, append, then act. No two steps
interleave, so there is no lock, and nobody sees what is not written.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sandbox_agent_core.api.long_work import ReviewTarget, RewindRequest, RewindResult
from sandbox_agent_core.api.prompts import CancelRequest, CancelResult
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import PatchSession, SessionInfo, SessionStatus
from sandbox_agent_core.api.turns import LimitsRequest
from sandbox_agent_core.errors import (
    AgentProcessExited,
    Conflict,
    CostUnknown,
    SessionClosed,
    StorageError,
    Unavailable,
)
from sandbox_agent_core.events.agent import OUT_OF_MEMORY
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.lenient import as_dict, compact
from sandbox_agent_core.projection import token_usage
from sandbox_agent_core.spi.agent import TASK_STOP, AgentDefinition, AgentExit

from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.failures import exit_error
from sandbox_agent_server.host.workspace import Workspace
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import Equip, MakeAdapter, SessionAgent, SessionSecrets
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.file_requests import serve_files
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.host_tools.calls import HostToolCalls
from sandbox_agent_server.sessions.info import session_info
from sandbox_agent_server.sessions.long_work import LongWork, Steered
from sandbox_agent_server.sessions.prices import estimated_cost
from sandbox_agent_server.sessions.prompt_content import check_prompt
from sandbox_agent_server.sessions.rewinding import Rewinding
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.sessions.turn import ClientRequest, Turn, TurnOutcome, Work
from sandbox_agent_server.sessions.turn_diffs import FindWorkTree, TurnDiffs
from sandbox_agent_server.sessions.turns import Turns
from sandbox_agent_server.settings import ModelPrice

__all__ = ["Session"]

logger = logging.getLogger(__name__)

_DIFF_PATIENCE_S: Final = 2.0
"""How long the end of a session waits for what its last turn has changed."""


class Session:
    def __init__(
        self,
        log: SessionLog,
        state: SessionState,
        limits: Limits,
        *,
        secrets: SessionSecrets,
        make_adapter: MakeAdapter,
        equip: Equip,
        definition: AgentDefinition | None,
        version: str,
        prices: Mapping[str, ModelPrice],
        earlier_resolution: Callable[[str], Mapping[str, Any] | None],
        find_work_tree: FindWorkTree,
        tells_diffs: bool,
        in_use: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.log = log
        self._prices = prices
        self.conversation = Conversation(
            log,
            state,
            limits,
            self,
            estimate_cost=self._estimated_cost,
            earlier_resolution=earlier_resolution,
        )
        self.agent = SessionAgent(
            self.conversation,
            secrets,
            limits,
            make_adapter=make_adapter,
            equip=equip,
            definition=definition,
            version=version,
        )
        self._tasks = TaskOwner(log.session_id)
        self.diffs = TurnDiffs(
            self.conversation,
            limits,
            self._tasks,
            find=find_work_tree,
            in_use=in_use,
            shown=lambda value: self.agent.redaction().shown(value),
            is_on=tells_diffs if state.settings.diffs is None else state.settings.diffs,
        )
        self.turns = Turns(self.conversation, self.agent, limits, self._tasks)
        self.conversation.requests.stop_turn = self._stop_turn
        self.long_work = LongWork(
            self.conversation,
            self.agent,
            self.turns,
            limits,
            self._tasks,
            definition=definition,
            check_open=self._check_open,
        )
        self.tools_client: str | None = None
        """Who registered the functions that the agent can call."""
        self.host_tools = HostToolCalls(
            self.conversation,
            limits,
            tools=lambda: self.agent.secrets.host_tools or (),
            client=lambda: self.tools_client,
            version=version,
        )
        self.conversation.stamper.notes_at_end = self._notes_at_end
        self.turns.stop_tasks_of = self._stop_tasks_of
        self.conversation.stamper.common_commands = self.long_work.commands
        self._rewinding = Rewinding(self.conversation, self.agent, self.turns, self.long_work)
        self._max_media_bytes = limits.max_media_bytes
        workspace = Workspace(
            state.settings.cwd,
            additional=state.settings.additional_directories,
            max_file_bytes=limits.max_file_bytes,
        )
        serve_files(self.conversation, workspace, self._tasks)
        self.users = 0
        """Who does something with it at the moment."""
        self._is_closing = False
        self._hushed: frozenset[str] = frozenset()
        """Background tasks that were stopped with all others: no agent is to go on because of them."""

    @property
    def id(self) -> str:
        return self.log.session_id

    @property
    def state(self) -> SessionState:
        return self.conversation.state

    @property
    def is_at_rest(self) -> bool:
        """Nothing of it is left to be done: whatever it is, its log says."""
        return not (
            self.users
            or self._is_closing
            or self.agent.is_running
            or self.agent.is_starting
            or not self.turns.is_idle
            or self.log.is_stalled
            or self.diffs.is_busy
        )

    @property
    def status(self) -> SessionStatus:
        if self.state.ended_ms is not None:
            return "ended"
        if self.agent.is_starting:
            return "starting"
        if self.state.pending:
            return "waiting"
        if self.turns.running is not None:
            return "running"
        if self.state.tasks:
            return "background"
        return "idle" if self.agent.is_running else "dormant"

    @property
    def has_had_no_turn(self) -> bool:
        state = self.state
        is_new = state.continuity == "fresh" and state.settings.forked_from is None
        return is_new and not state.turn_seq and not state.own_turn_seq

    def info(self) -> SessionInfo:
        return session_info(
            self.id,
            self.state,
            status=self.status,
            last_seq=self.log.last_seq,
            updated_ms=self.log.last_time_ms,
        )

    # Life

    async def create(self) -> None:
        """Record the session and start its agent. Raises what `SessionAgent.start` raises."""
        self.conversation.state_entries((extensions.SESSION_CREATED, self.state.settings.to_wire()))
        await self.agent.start()

    async def resume(self) -> None:
        """Start the agent of a dormant or ended session; one that runs is left alone."""
        await self.agent.start()

    async def rest(self) -> None:
        """Stop the idle agent; it can be resumed. Raises: Conflict while it is at work or starts."""
        if not (self.turns.is_idle and self.agent.is_ready) or self.state.tasks:
            raise Conflict(
                f"the agent of session {self.id!r} is at work, and takes new `env` and `mcpServers` only "
                "when it starts again; wait for the turn and background tasks to end, or cancel them"
            )
        await self._stop(TurnOutcome("interrupted"))

    async def put_to_rest(self) -> None:
        """Stop whatever it does, and its agent; it can be resumed. Raises: StorageError."""
        await self._stop(TurnOutcome("cancelled"))

    async def end(self) -> None:
        """Stop everything and close the log for writing. Ending twice is harmless.

        Raises:
            StorageError: everything is stopped, but the session has not ended.
        """
        if self.state.ended_ms is not None:
            return
        await self._stop(TurnOutcome("cancelled"))
        if self.state.is_open:
            raise StorageError(
                "the end of the session's agent cannot be written at the moment; free disk space and end "
                "it again"
            )
        self.conversation.state_entries((extensions.SESSION_ENDED, {"reason": "deleted"}))

    async def shut_down(self) -> None:
        """The server stops: the turn ends as interrupted, the session can be resumed later."""
        await self._stop(
            TurnOutcome("interrupted", error=Unavailable("the server stopped during the turn"))
        )

    async def _stop(self, outcome: TurnOutcome) -> None:
        """Whatever cannot be recorded on the way must not keep the agent alive."""
        self._set_closing(True)
        try:
            self.turns.stop(outcome)
        except StorageError as exc:
            logger.error("session %s: %s", self.id, exc.message)
        try:
            await self.agent.stop()
            self.turns.stopped(outcome)
            await self.diffs.settle(_DIFF_PATIENCE_S)
        finally:
            self.turns.abandon()
            await self.conversation.close()
            await self._tasks.cancel()
            self.log.let_in_others()
            self._set_closing(False)

    def _set_closing(self, on: bool) -> None:
        self._is_closing = self.turns.is_held = on
        self.conversation.give_up_waiting(on)

    # Prompts and answers

    def prompt(
        self,
        blocks: list[dict[str, Any]],
        output_schema: Mapping[str, Any] | None = None,
        limits: LimitsRequest | None = None,
        *,
        turn_id: str | None = None,
    ) -> tuple[Turn, int, int]:
        """Start a turn, or queue it behind the running one. Returns `(turn, position, cursor before it)`.

        A slash command that the server knows is what it says, and no prompt. `output_schema`: of the answer.
        `turn_id`: a new one, of a caller that has to know it before.

        Raises:
            InvalidRequest, SessionClosed, LimitReached, StorageError: the prompt was not accepted.
            CostUnknown: its cost is limited, and nobody can tell it.
        """
        check_prompt(blocks, max_media_bytes=self._max_media_bytes)
        if limits is not None and limits.max_cost is not None:
            self._check_cost_is_told()

        def work() -> Work:
            if output_schema is not None:
                return replace(Work.prompt(blocks, output_schema), limits=limits)
            return replace(self.long_work.work_of(blocks), limits=limits)

        return self._begin(work, turn_id)

    def prompt_of_client(self, asked: ClientRequest) -> Turn:
        """A request of an ACP client that begins a turn, as it is. Raises: SessionClosed, LimitReached, StorageError."""
        method, params = asked.frame["method"], as_dict(asked.frame.get("params"))
        return self._begin(lambda: Work(method, params, asked=asked))[0]

    def compact(self, instructions: str | None) -> tuple[Turn, int, int]:
        """As `prompt`: a turn that puts a summary in place of the conversation. Raises: OperationNotSupported."""
        return self._begin(lambda: self.long_work.compaction(instructions))

    def review(self, target: ReviewTarget) -> tuple[Turn, int, int]:
        """As `prompt`: a turn that looks at changes, and makes none."""
        return self._begin(lambda: self.long_work.review(target))

    def _begin(self, work: Callable[[], Work], turn_id: str | None = None) -> tuple[Turn, int, int]:
        self._check_open()
        self._hushed = frozenset()
        return self.turns.begin(work(), turn_id)

    def check_steer(self, blocks: list[dict[str, Any]]) -> None:
        """Raises: InvalidRequest, SessionClosed."""
        self._check_open()
        check_prompt(blocks, max_media_bytes=self._max_media_bytes)

    async def steer(self, blocks: list[dict[str, Any]]) -> Steered:
        """Raises what `LongWork.steer` and `check_steer` raise."""
        self.check_steer(blocks)
        self._hushed = frozenset()
        return await self.long_work.steer(blocks)

    async def rewind(self, wanted: RewindRequest) -> RewindResult:
        """Raises what `Rewinding.rewind` raises."""
        self._check_open()
        return await self._rewinding.rewind(wanted)

    async def native(self, method: str, params: dict[str, Any]) -> Any:
        """Raises what `LongWork.native` raises."""
        self._check_open()
        return await self.long_work.native(method, params)

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        """Raises what `LongWork.request` raises."""
        self._check_open()
        return await self.long_work.request(method, params)

    def _estimated_cost(self, usage: Mapping[str, Any], model: str | None) -> dict[str, Any] | None:
        return estimated_cost(usage, model or self.state.options.model, self._prices)

    def _check_cost_is_told(self) -> None:
        """Raises: CostUnknown."""
        agent, model = self.state.settings.agent, self.state.options.model
        told = self.long_work.can.usage
        if told is None and not self.conversation.meter.has_told_cost:
            raise CostUnknown(
                f"agent {agent!r} does not tell what a turn costs while it runs, so `maxCost` could not be kept; use "
                "`timeoutSeconds` or `maxTurns`",
                agent=agent,
                operation="maxCost",
            )
        if told == "tokens" and self._estimated_cost({"inputTokens": 1}, None) is None:
            raise CostUnknown(
                f"agent {agent!r} tells tokens, and nobody knows the price of its model {model!r}, so `maxCost` could "
                f'not be kept; give the server the price: `[prices."{model}"]` of its configuration',
                agent=agent,
                operation="maxCost",
                model=model,
            )

    def _notes_at_end(self, turn_id: str | None, result: Mapping[str, Any]) -> dict[str, Any]:
        notes = self.turns.notes_at_end(turn_id, result)
        if "cost" in as_dict(result.get("_meta")):
            notes.pop("cost", None)
        elif (usage := token_usage(dict(result))) and "cost" not in notes:
            notes |= compact(cost=self._estimated_cost(usage, None))
        return notes

    def cancel(self, turn_id: str | None) -> list[str]:
        """Cancel one turn, or the running one and all queued. Returns the turns that this stops."""
        return self.turns.cancel(turn_id)

    def cancel_as_asked(self, wanted: CancelRequest) -> CancelResult:
        """Turns, background tasks, or what the session does now. Raises: StorageError."""
        if wanted.task_id is not None:
            return CancelResult(cancelled=[], tasks=self.stop_tasks(wanted.task_id))
        is_at_a_turn = not self.turns.is_idle
        cancelled = self.cancel(wanted.turn_id)
        all_tasks = wanted.tasks
        if all_tasks is None:
            all_tasks = wanted.turn_id is None and not is_at_a_turn
        return CancelResult(cancelled=cancelled, tasks=self.stop_tasks() if all_tasks else [])

    def stop_tasks(self, task_id: str | None = None) -> list[str]:
        """Tell the agent to stop one background task, or all. Returns those."""
        conversation = self.conversation
        ids = [id for id in self.state.tasks if task_id in (None, id)]
        if not ids or not self.agent.is_running:
            return []
        step = conversation.step()
        for id in ids:
            params = {"sessionId": self.state.agent_session_id, "taskId": id}
            conversation.notify(step, TASK_STOP, params)
        if task_id is None:
            self._hushed = frozenset(ids)
            for answer in conversation.requests.cancel_in_background(step):
                step.after_commit(partial(conversation.to_agent, answer))
        self.log.append(step)
        return ids

    def _stop_tasks_of(self, turn_id: str) -> None:
        """Raises: StorageError."""
        for id, task in self.state.tasks.items():
            if task.turn_id == turn_id:
                self.stop_tasks(id)

    def answer(self, request_id: str, body: AnswerRequest) -> dict[str, Any]:
        """Raises what `PendingRequests.answer` raises."""
        return self.conversation.requests.answer(request_id, body)

    # Settings

    async def patch(self, body: PatchSession) -> None:
        """Apply what is given, in the order mode, model, thought level, options.

        Raises:
            ModeNotSupported, ValueNotSupported: the agent does not offer it; earlier members stay applied.
        """
        self._check_open()
        if body.metadata is not None:
            self._note(metadata=body.metadata)
        if body.title is not None:
            self._note(title=body.title)
            await self.agent.tell_title()
        if body.permission_policy is not None:
            self._note(permissionPolicy=body.permission_policy.model_dump(by_alias=True))
            if body.mode is None:
                await self.agent.mode.policy_changed()
        if body.mode is not None:
            await self.agent.mode.choose(body.mode)
            self._note(mode=body.mode)
        if body.model is not None:
            await self.agent.apply(self.state.options.set_model(body.model))
            self._note(model=body.model)
        if body.thought_level is not None:
            await self.agent.apply(self.state.options.set_thought_level(body.thought_level))
            self._note(thoughtLevel=body.thought_level)
        for option_id, value in body.config_options.items():
            await self.agent.set_option(option_id, value)
            self._note(configOptions={option_id: value})

    def _note(self, **changes: Any) -> None:
        """Raises: StorageError."""
        self.conversation.state_entries((extensions.SESSION_UPDATED, changes))

    def _check_open(self) -> None:
        if self.state.ended_ms is not None:
            raise SessionClosed(f"session {self.id!r} has ended; resuming it opens it again")
        if self._is_closing:
            raise Unavailable("the session is being stopped")

    # ConversationOwner

    def turn_answered(self, step: SessionStep, frame: Frame) -> None:
        self.turns.answered(step, frame)

    def options_announced(self, step: SessionStep, before: ConfigOptions) -> None:
        self.agent.mode.announced(step, before)

    def own_turn_begun(self, step: SessionStep, turn_id: str, task_id: str | None) -> None:
        self.turns.own_begun(turn_id)
        if task_id in self._hushed:
            step.after_commit(partial(self._hush, turn_id))

    def _stop_turn(self, turn_id: str | None) -> None:
        """A permission was refused, and the turn is to end with that."""
        if turn_id is not None:
            self._hush(turn_id)

    def _hush(self, turn_id: str) -> None:
        try:
            self.turns.cancel(turn_id)
        except StorageError as exc:
            logger.error("session %s: cannot cancel turn %s: %s", self.id, turn_id, exc.message)

    def own_turn_ended(self, step: SessionStep, frame: Frame) -> None:
        self.turns.own_ended(step, frame)

    async def agent_gone(self, connection: AgentConnection, ended: AgentExit) -> None:
        conversation = self.conversation
        step = conversation.step()
        conversation.stamper.close_items(step)
        conversation.requests.cancel_all(step)
        if step.state.is_running:  # else its start could not be written, and nobody knows of it
            params = _exit_data(connection, ended)
            conversation.stamper.server_entry(step, extensions.AGENT_EXITED, params)
        if connection.is_expected_to_end:
            conversation.stamper.end_tasks(step, status="stopped")
        else:
            error = {"code": AgentProcessExited.code, "message": "the agent ended"}
            conversation.stamper.end_tasks(step, status="failed", error=error)
        outcomes = [
            (turn, self.turns.close(turn, _outcome_of_exit(turn, connection, ended), step))
            for turn in self.turns.open
        ]
        conversation.stamper.close_turn(step, None)
        step.is_end = True
        try:
            await conversation.append_patiently(step)
        except StorageError as exc:
            for turn, _ in outcomes:
                turn.finish(TurnOutcome("error", error=exc))
            if self._is_closing:
                raise
            # Who waits for the turn or the agent's end is let go. The log still gets it, and nothing before it.
            self.log.keep_out_others(step)
            self._tasks.spawn(self._say_its_end(step, outcomes), name="end")
        else:
            self.turns.gone(outcomes)

    async def _say_its_end(
        self, step: SessionStep, outcomes: list[tuple[Turn, TurnOutcome]]
    ) -> None:
        await self.conversation.append_patiently(step, retry_s=math.inf)
        self.turns.gone(outcomes)


def _exit_data(connection: AgentConnection, ended: AgentExit) -> dict[str, Any]:
    params: dict[str, Any] = {"expected": connection.is_expected_to_end}
    if ended.exit_code is not None:
        params["exitCode"] = ended.exit_code
    if ended.signal is not None:
        params["signal"] = ended.signal
    if ended.stderr_tail:
        params["stderrTail"] = ended.stderr_tail
    if ended.is_out_of_memory and not connection.is_expected_to_end:
        params["reason"] = OUT_OF_MEMORY
        if ended.memory_limit_bytes is not None:
            params["memoryLimitBytes"] = ended.memory_limit_bytes
    return params


def _outcome_of_exit(turn: Turn, connection: AgentConnection, ended: AgentExit) -> TurnOutcome:
    if turn.is_cancelling:
        return TurnOutcome("cancelled")
    if connection.is_expected_to_end:
        return TurnOutcome("interrupted", error=Unavailable("the server stopped during the turn"))
    return TurnOutcome("error", error=connection.failure or exit_error(ended))
