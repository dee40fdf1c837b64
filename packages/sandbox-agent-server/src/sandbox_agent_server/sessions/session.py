"""A session: the single writer of one log, and everything that a person or an agent does to it.

Whatever changes a session is one synchronous step in the event loop: decide, append (commit), then
act. No two steps interleave, so there is no lock, and nobody sees what is not committed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import PatchSession, SessionInfo
from sandbox_agent_core.errors import (
    Conflict,
    LimitReached,
    SandboxAgentError,
    SessionClosed,
    StorageError,
    Unavailable,
)
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.agent import AgentDefinition, AgentExit

from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent_host import AgentHost, MakeAdapter, SessionSecrets
from sandbox_agent_server.sessions.agent_run import AgentRun, exit_error
from sandbox_agent_server.sessions.context import context_block
from sandbox_agent_server.sessions.controls import Controls, agent_session_id_of
from sandbox_agent_server.sessions.desk import RequestChange, RequestDesk
from sandbox_agent_server.sessions.feed import SessionLog
from sandbox_agent_server.sessions.file_requests import FileRequests
from sandbox_agent_server.sessions.journal import RETRY_EVERY_S, Journal
from sandbox_agent_server.sessions.presenting import session_info
from sandbox_agent_server.sessions.routing import FrameRouter
from sandbox_agent_server.sessions.stamping import Stamper
from sandbox_agent_server.sessions.turns import Turn, TurnLine, TurnOutcome, outcome_of_frame
from sandbox_agent_server.sessions.workspace_files import WorkspaceFiles
from sandbox_agent_server.settings import Limits
from sandbox_agent_server.store import Draft, SessionRow, SqliteStore

__all__ = ["Session"]

logger = logging.getLogger(__name__)


class Session:
    def __init__(
        self,
        store: SqliteStore,
        row: SessionRow,
        limits: Limits,
        *,
        make_adapter: MakeAdapter,
        secrets: SessionSecrets,
        version: str,
        definition: AgentDefinition | None,
    ) -> None:
        self.row = row
        self._limits = limits
        self.log = SessionLog(store, row, ring_bytes=limits.ring_bytes)
        self.stamper = Stamper(lambda: self.log.next_seq)
        self.journal = Journal(
            row.id, self.log, retry_s=limits.storage_retry_s, refresh_state=self._refresh_state
        )
        self.controls = Controls(
            row.state.get("controls"),
            permission_modes=definition.permission_modes if definition else None,
        )
        self.turns = TurnLine()
        self.desk = RequestDesk(
            store,
            row,
            self.log,
            self.stamper,
            max_pending=limits.max_pending_requests,
            send=lambda frame: self.agent.post(frame),
            permission_mode=lambda: self.controls.permission_mode,
        )
        self.agent = AgentHost(
            row,
            self.log,
            self.journal,
            self.stamper,
            self.controls,
            secrets,
            limits,
            make_adapter=make_adapter,
            version=version,
            login_hint=definition.login_hint if definition else "",
            takes_system_prompt=definition is not None and definition.takes_system_prompt,
            on_batch=FrameRouter(self).route,
            on_gone=self._agent_gone,
        )
        self._tasks = TaskOwner(row.id)
        self.files = FileRequests(
            WorkspaceFiles(row.settings["cwd"], max_bytes=limits.max_file_bytes),
            self.journal,
            self.stamper,
            self._tasks,
            may_write=lambda: self.controls.permission_mode not in ("read-only", "plan"),
        )
        self._is_waking = False
        self._cancel_timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    # What others see

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def is_ended(self) -> bool:
        return self.row.ended_ms is not None

    @property
    def policy(self) -> PermissionPolicy:
        return PermissionPolicy.model_validate(self.row.settings.get("permissionPolicy") or {})

    def info(self) -> SessionInfo:
        return session_info(self)

    # Life

    async def create(self) -> None:
        """Record the session and start its agent. Raises what `AgentHost.start` raises."""
        settings = self.row.settings
        self.journal.append(
            [
                self.stamper.fact(
                    extensions.SESSION_CREATED,
                    {
                        key: settings[key]
                        for key in ("agent", "cwd", "model", "mode", "metadata")
                        if settings.get(key)
                    },
                )
            ]
        )
        await self.agent.start()

    async def resume(self) -> None:
        """Start the agent of a dormant or ended session; one that runs is left alone."""
        if self.is_ended:
            self.row.ended_ms = None
            self.journal.append([], save_row=True)
        await self.agent.start()

    async def rest(self) -> None:
        """Stop the idle agent; it can be resumed. Raises: Conflict while it is at work or starts."""
        if self.turns.current is not None or self.turns.queued or not self.agent.is_ready:
            raise Conflict(
                f"the agent of session {self.id!r} is at work, and takes new `env` and `mcpServers` only "
                "when it starts again; wait for the turn to end, or cancel it"
            )
        await self._stop(TurnOutcome("interrupted"))

    async def end(self) -> None:
        """Stop everything and close the log for writing. Ending twice is harmless."""
        if self.is_ended:
            return
        await self._stop(TurnOutcome("cancelled"))
        self.row.ended_ms = self.log.last_time_ms
        self.journal.append(
            [self.stamper.fact(extensions.SESSION_ENDED, {"reason": "deleted"})], save_row=True
        )

    async def shut_down(self) -> None:
        """The server stops: the turn ends as interrupted, the session can be resumed later."""
        await self._stop(
            TurnOutcome("interrupted", error=Unavailable("the server stopped during the turn"))
        )
        self.log.close()

    async def _stop(self, outcome: TurnOutcome) -> None:
        """Whatever cannot be recorded on the way must not keep the agent alive."""
        self._is_closing = self.journal.is_closing = True
        try:
            self._drop_queue(
                "session_ended" if outcome.stop_reason == "cancelled" else "interrupted"
            )
            turn = self.turns.current
            if turn is not None and self.agent.is_running:
                turn.is_cancelling = outcome.stop_reason == "cancelled"
                self._tell_cancel()
        except StorageError as exc:
            logger.error("session %s: %s", self.id, exc.message)
        try:
            await self.agent.stop()
            if (turn := self.turns.current) is not None:
                self._end_turn_ourselves(turn, outcome)
        finally:
            self.desk.close()
            await self._tasks.cancel()
            self._is_closing = self.journal.is_closing = False

    # Prompts

    def prompt(self, blocks: list[dict[str, Any]]) -> tuple[Turn, int, int]:
        """Start a turn, or queue it behind the running one. Returns `(turn, position, cursor before it)`.

        Raises:
            SessionClosed, LimitReached, StorageError: the prompt was not accepted.
        """
        self._check_open()
        turn = Turn(new_id("turn"), blocks)
        before = self.log.last_seq
        if self.turns.is_free and self.agent.is_ready:
            self._start_turn(turn)
            return turn, 0, before
        if len(self.turns.queued) >= self._limits.max_queued_turns + (self.turns.current is None):
            raise LimitReached(
                f"{len(self.turns.queued)} turns are queued already; wait for one to end",
                limit="max_queued_turns",
                value=self._limits.max_queued_turns,
            )
        position = len(self.turns.queued) + (self.turns.current is not None)
        self.turns.queued.append(turn)
        fact = self.stamper.fact(
            extensions.TURN_QUEUED, {"turnId": turn.id, "prompt": blocks, "position": position}
        )
        try:
            self.journal.append([fact], save_row=True)
        except StorageError:
            self.turns.queued.remove(turn)
            raise
        self._advance()
        return turn, position, before

    def cancel(self, turn_id: str | None) -> list[str]:
        """Cancel one turn, or the running one and all queued. Returns the turns that this stops."""
        cancelled: list[str] = []
        if turn_id is None:
            cancelled += self._drop_queue("cancelled")
        elif (queued := self.turns.find_queued(turn_id)) is not None:
            self._drop(queued, "cancelled")
            cancelled.append(queued.id)
        turn = self.turns.current
        if turn is not None and turn_id in (None, turn.id):
            cancelled.insert(0, turn.id)
            if not turn.is_cancelling:
                turn.is_cancelling = True
                self._tell_cancel()
                self._cancel_timer = asyncio.get_running_loop().call_later(
                    self._limits.cancel_grace_s, self._cancel_by_force, turn
                )
        return cancelled

    def answer(self, request_id: str, body: AnswerRequest) -> dict[str, Any]:
        """Raises what `RequestDesk.answer` raises."""
        self.journal.check_writable()
        return self.desk.answer(request_id, body)

    # Settings

    async def patch(self, body: PatchSession) -> None:
        """Apply what is given, in the order mode, model, thought level, options.

        Raises:
            ModeNotSupported, ValueNotSupported: the agent does not offer it; earlier members stay applied.
        """
        self._check_open()
        try:
            await self._apply(body)
        finally:
            self.journal.append([], save_row=True)

    async def _apply(self, body: PatchSession) -> None:
        settings = self.row.settings
        if body.metadata is not None:
            settings["metadata"] = body.metadata
        if body.permission_policy is not None:
            settings["permissionPolicy"] = body.permission_policy.model_dump(by_alias=True)
        if body.mode is not None:
            await self.agent.set_mode(body.mode)
            settings["mode"] = body.mode
        for key, value in (
            ("model", body.model),
            ("thoughtLevel", body.thought_level),
        ):
            if value is not None:
                await self.agent.apply(self.controls.setter(key)(value))
                settings[key] = value
        for option_id, option_value in body.config_options.items():
            await self.agent.apply(self.controls.set_option(option_id, option_value))
            settings.setdefault("configOptions", {})[option_id] = option_value

    # State

    def observe(self, update: Frame) -> bool:
        """A `session/update` of the agent; True when it changes what the store keeps of the session."""
        if self.controls.read_update(update):
            return True
        # Claude's `/clear` starts a session of its own: resuming the old one would bring the old memory.
        if (new_id := agent_session_id_of(update)) is None:
            return False
        self.row.state["agentSessionId"] = new_id
        return True

    def _refresh_state(self) -> None:
        self.row.state.update(self.turns.to_state())
        self.row.state["controls"] = self.controls.snapshot()
        self.row.state["running"] = self.agent.is_running

    def _check_open(self) -> None:
        if self.is_ended:
            raise SessionClosed(
                f"session {self.id!r} has ended; POST /v1/sessions/{self.id}/resume opens it again"
            )
        if self._is_closing:
            raise Unavailable("the session is being stopped")

    # Turns

    def _start_turn(self, turn: Turn) -> None:
        blocks = turn.prompt
        context = self.row.state.get("context")
        if context:
            blocks = [context_block(context), *blocks]
        frame = request(
            self.log.next_seq,
            acp.SESSION_PROMPT,
            {"sessionId": self.row.state.get("agentSessionId"), "prompt": blocks},
        )
        entries = self.stamper.begin_turn(turn.id)
        if entries:
            frame["id"] += len(entries)  # ids are the seq of their entry: unique for ever
        entries.append(self.stamper.client_frame(frame))
        turn.seq = frame["id"]
        self.turns.current = turn
        self.row.state["context"] = None
        try:
            self.journal.append(entries, save_row=True)
        except StorageError:
            self.turns.current = None
            self.row.state["context"] = context
            self.stamper.end_turn()
            raise
        self.agent.post(frame)

    def finish_turn(self, frame: Frame) -> None:
        """The agent answered `session/prompt`; its answer is committed."""
        turn = self.turns.ended()
        self._disarm_cancel()
        if turn is not None:
            turn.finish(outcome_of_frame(frame))
        self.log.rest()
        self._advance()

    def _advance(self) -> None:
        """Start the next queued turn, bringing the agent up first where needed."""
        if self.turns.current is not None or not self.turns.queued or self._is_closing:
            return
        if not self.agent.is_ready:
            if not self._is_waking:
                self._is_waking = True
                self._tasks.spawn(self._wake_agent(), name="wake")
            return
        turn = self.turns.queued.popleft()
        try:
            self._start_turn(turn)
        except StorageError as exc:
            self.turns.queued.appendleft(turn)
            logger.error("session %s: cannot start turn %s: %s", self.id, turn.id, exc.message)
            asyncio.get_running_loop().call_later(RETRY_EVERY_S, self._advance)

    async def _wake_agent(self) -> None:
        try:
            await self.agent.start()
        except SandboxAgentError as exc:
            if self.turns.queued:
                self._fail_queued(self.turns.queued.popleft(), exc)
        finally:
            self._is_waking = False
        self._advance()

    def _fail_queued(self, turn: Turn, error: SandboxAgentError) -> None:
        """A turn whose agent cannot be started: it starts and ends, so that everybody sees it."""
        frame = request(
            self.log.next_seq, acp.SESSION_PROMPT, {"sessionId": None, "prompt": turn.prompt}
        )
        entries = self.stamper.begin_turn(turn.id)
        entries.append(self.stamper.client_frame(frame))
        self.stamper.forget_asked()
        self.turns.current = turn
        self._end_turn_ourselves(turn, TurnOutcome("error", error=error), entries)

    def _end_turn_ourselves(
        self, turn: Turn, outcome: TurnOutcome, entries: list[Draft] | None = None
    ) -> None:
        entries = entries or []
        changes: list[RequestChange] = []
        self._close_turn(turn, outcome, entries, changes)
        try:
            self.journal.append(entries, save_row=True, changes=changes)
        finally:
            turn.finish(outcome)

    def _close_turn(
        self,
        turn: Turn,
        outcome: TurnOutcome,
        out: list[Draft],
        changes: list[RequestChange],
    ) -> None:
        """The entries that end a turn which the agent will not end."""
        self.stamper.close_turn(out)
        self.desk.cancel_all(out, changes)
        params: dict[str, Any] = {"turnId": turn.id, "stopReason": outcome.stop_reason}
        if outcome.error is not None:
            params["error"] = {"code": outcome.error.code, "message": outcome.error.message}
            if outcome.error.details:
                params["error"]["data"] = outcome.error.details
        out.append(self.stamper.fact(extensions.TURN_ENDED, params))
        self.stamper.end_turn()
        self.turns.ended()
        self._disarm_cancel()

    def _drop_queue(self, reason: str) -> list[str]:
        dropped = []
        while self.turns.queued:
            dropped.append(self.turns.queued[0].id)
            self._drop(self.turns.queued[0], reason)
        return dropped

    def _drop(self, turn: Turn, reason: str) -> None:
        self.turns.queued.remove(turn)
        fact = self.stamper.fact(extensions.TURN_DROPPED, {"turnId": turn.id, "reason": reason})
        self.journal.append([fact], save_row=True)
        turn.finish(TurnOutcome("cancelled" if reason == "cancelled" else "interrupted"))

    # Cancelling

    def _tell_cancel(self) -> None:
        """ACP: the client answers every open permission `cancelled`, and the agent ends the turn."""
        frame = notification(
            acp.SESSION_CANCEL, {"sessionId": self.row.state.get("agentSessionId")}
        )
        out: list[Draft] = [self.stamper.client_frame(frame)]
        changes: list[RequestChange] = []
        answers = self.desk.cancel_all(out, changes)
        self.journal.append(out, changes=changes)
        self.agent.post(frame)
        for answer in answers:
            self.agent.post(answer)

    def _cancel_by_force(self, turn: Turn) -> None:
        if self.turns.current is turn:
            logger.warning(
                "session %s: the agent ignored the cancel for %s s, stopping it",
                self.id,
                self._limits.cancel_grace_s,
            )
            self.agent.kill_soon()

    def _disarm_cancel(self) -> None:
        if self._cancel_timer is not None:
            self._cancel_timer.cancel()
            self._cancel_timer = None

    # The agent's end

    async def _agent_gone(self, run: AgentRun, ended: AgentExit) -> None:
        out: list[Draft] = []
        changes: list[RequestChange] = []
        turn = self.turns.current or self.turns.ending
        fact: dict[str, Any] = {"expected": run.is_expected_to_end}
        if ended.exit_code is not None:
            fact["exitCode"] = ended.exit_code
        if ended.signal is not None:
            fact["signal"] = ended.signal
        if ended.stderr_tail:
            fact["stderrTail"] = ended.stderr_tail
        self.stamper.close_items(out)
        self.desk.cancel_all(out, changes)
        out.append(self.stamper.fact(extensions.AGENT_EXITED, fact))
        outcome = self._outcome_of_exit(turn, run, ended)
        if turn is not None:
            self._close_turn(turn, outcome, out, changes)
        self.stamper.forget_asked()
        try:
            await self.journal.append_patiently(out, save_row=True, changes=changes)
        finally:
            if turn is not None:
                turn.finish(outcome)
            self.log.rest()
            self._advance()

    def _outcome_of_exit(self, turn: Turn | None, run: AgentRun, ended: AgentExit) -> TurnOutcome:
        if turn is not None and turn.is_cancelling:
            return TurnOutcome("cancelled")
        if run.is_expected_to_end:
            return TurnOutcome(
                "interrupted", error=Unavailable("the server stopped during the turn")
            )
        return TurnOutcome("error", error=exit_error(ended))
