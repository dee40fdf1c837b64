"""What an ACP client and an agent say to each other, on one log: frames go in at either end.

The waist of the server. It numbers and writes both ways, keeps ids, `_meta` and bytes as they are, knows which
answer belongs to which request, and puts what an agent asks before the policy or a person. It has no queue
and no settings of its own: a session stands on it, and so can whatever else speaks ACP.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from sandbox_agent_core.errors import Conflict, StorageError, Unavailable
from sandbox_agent_core.frames import Frame, acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    RequestId,
    error_response,
    notification,
    request,
    response,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_text
from sandbox_agent_core.projection.faults import says_nothing
from sandbox_agent_core.spi.agent import AgentExit, WireFrame

from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.failures import result_of_frame, with_last_words
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.stamper import Stamper
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.metering import EstimateCost, TurnMeter
from sandbox_agent_server.sessions.requests.pending import PendingRequests
from sandbox_agent_server.sessions.screening import Screening
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.sessions.turn import ClientRequest

__all__ = ["Conversation", "ConversationOwner", "StepObserver"]

logger = logging.getLogger(__name__)

_FOR_A_PERSON: Final = frozenset(
    {
        acp.SESSION_REQUEST_PERMISSION,
        acp.ELICITATION_CREATE,
        extensions.HOOK,
        extensions.HOST_TOOL,
    }
)

StepObserver = Callable[[SessionStep], None]
"""Told of every step once it is written and shown. Must not raise, and must not append."""


class ConversationOwner(Protocol):
    """Whose turns they are."""

    def turn_answered(self, step: SessionStep, frame: Frame) -> None:
        """The agent answered what began the turn, in this step, which is not committed yet."""
        ...

    def options_announced(self, step: SessionStep, before: ConfigOptions) -> None:
        """The agent said what it is set to, in this step, which is not committed yet."""
        ...

    def own_turn_begun(self, step: SessionStep, turn_id: str, task_id: str | None) -> None:
        """The agent began a turn that nobody prompted, in this step, which is not committed yet."""
        ...

    def own_turn_ended(self, step: SessionStep, frame: Frame) -> None:
        """The agent ended it, in this step, which is not committed yet."""
        ...

    async def agent_gone(self, connection: AgentConnection, ended: AgentExit) -> None: ...


class Conversation:
    def __init__(
        self,
        log: SessionLog,
        state: SessionState,
        limits: Limits,
        owner: ConversationOwner,
        *,
        estimate_cost: EstimateCost,
        earlier_resolution: Callable[[str], Mapping[str, Any] | None],
    ) -> None:
        self.log = log
        self.state = state
        self.stamper = Stamper()
        self.meter = TurnMeter(estimate_cost)
        self.requests = PendingRequests(
            self.stamper,
            new_step=self.step,
            commit=log.append,
            send=self.to_agent,
            earlier=earlier_resolution,
            max_pending=limits.max_pending_requests,
            max_pending_bytes=limits.max_pending_bytes,
        )
        self._screening = Screening(
            self.stamper, self.requests, respond=self.respond, send=self.to_agent
        )
        self.observers: list[StepObserver] = []
        self.services: dict[str, Callable[[Frame], None]] = {}
        """By method: takes a request of the agent that is in the log, and sees that it is answered."""
        self.clients = 0
        """Observers that are ACP clients. They number their requests, so ours must not look like those; and what an
        agent asks that nobody serves here is for them: `answer_passed_on`."""
        self._limits = limits
        self._owner = owner
        self._connection: AgentConnection | None = None
        self._waiting: deque[list[WireFrame]] | None = None
        """What came while a batch waits for the disk; None when none does."""
        self._is_cut_off = False
        """A batch was given up: of this agent the log has nothing more but its end."""
        self._is_written = asyncio.Event()
        self._gives_up = asyncio.Event()
        self._tasks = TaskOwner(log.session_id)
        self._holds = 0
        self._held: deque[tuple[AgentConnection, Frame]] = deque()
        """What is in the log and on its way."""
        self._asked_for_agent: dict[Any, asyncio.Future[Frame]] = {}

    # Steps

    def step(self) -> SessionStep:
        """To be filled and given to `log.append`, with nothing awaited in between."""
        log = self.log
        return SessionStep(log.session_id, log.next_seq, log.now_ms, self.state, self._committed)

    def state_entries(self, *entries: tuple[str, Mapping[str, Any]]) -> None:
        """Append entries of the server: `(method, params)` of `frames.extensions`. Raises: StorageError."""
        step = self.step()
        for method, params in entries:
            self.stamper.server_entry(step, method, params)
        self.log.append(step)

    def _committed(self, step: SessionStep) -> None:
        self.state = step.state
        for observe in self.observers:
            observe(step)

    # The client's end

    def connect(self, connection: AgentConnection) -> None:
        """Frames go to this agent from now on."""
        self._connection = connection
        self._screening.connect()

    def send(
        self,
        frame: Frame,
        *,
        raw: bytes | None = None,
        turn_id: str | None = None,
        actor: str | None = None,
    ) -> asyncio.Future[Frame] | None:
        """A frame of the client, as it is: logged, then sent. For a request: the frame that answers it.

        One of `operations.BEGIN_A_TURN` begins a turn, with `turn_id` or a new one. `raw` are the client's bytes.
        `actor`: who answers, when it is an answer.

        Raises:
            Conflict: a request with this id waits for its answer, or a turn runs.
            RequestNotFound, InvalidRequest: a response to nothing, or one that does not fit.
            StorageError: nothing was logged and nothing sent.
            Unavailable, AgentProcessExited: no agent is connected.
        """
        method, id = frame.get("method"), frame.get("id")
        if not isinstance(method, str):
            self.requests.answer_frame(frame, actor=actor)
            return None
        connection = self._connected()
        if id is not None and self.stamper.asked(id) is not None:
            raise Conflict(f"a request with the id {id!r} waits for its answer")
        step = self.step()
        if method in operations.BEGIN_A_TURN and id is not None:
            if self.stamper.turn_id is not None:
                raise Conflict(f"turn {self.stamper.turn_id!r} is running")
            self.stamper.begin_turn(step, turn_id or new_id("turn"))
        return self._send(connection, step, frame, raw=raw)

    def begin_turn(
        self,
        method: str,
        params: Mapping[str, Any],
        turn_id: str,
        *,
        marks: Mapping[str, Any] | None = None,
        asked: ClientRequest | None = None,
    ) -> None:
        """Begin a turn with a request of our own, one of `operations.BEGIN_A_TURN`, or with that of a client.
        `marks`: annotations of its entry.

        Raises:
            StorageError, Unavailable, AgentProcessExited: it has not begun.
        """
        connection, step = self._connected(), self.step()
        self.stamper.begin_turn(step, turn_id)
        if asked is None:
            request, raw = self.own_request(step, method, params), None
        else:
            request, raw = asked.with_params(params)
        self._send(connection, step, request, raw=raw, expects=False, annotations=marks)
        self.meter.begin(turn_id)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        logged: Mapping[str, Any] | None = None,
        answer_annotations: dict[str, Any] | None = None,
    ) -> Any:
        """A request of our own; its result. `logged` are the params as they may be seen.

        Raises:
            AgentError, AgentAuthRequired: the agent refused. AgentProcessExited. StorageError. Unavailable.
        """
        answer = self.request(method, params, logged=logged, answer_annotations=answer_annotations)
        return result_of_frame(await answer)

    def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        logged: Mapping[str, Any] | None = None,
        answer_annotations: dict[str, Any] | None = None,
    ) -> asyncio.Future[Frame]:
        """As `ask`, for the frame that answers it; fails with AgentProcessExited."""
        connection, step = self._connected(), self.step()
        frame = self.own_request(step, method, params)
        shown = frame if logged is None else {**frame, "params": dict(logged)}
        answer = self._send(
            connection, step, frame, shown=shown, answer_annotations=answer_annotations
        )
        assert answer is not None
        return answer

    def own_request(self, step: SessionStep, method: str, params: Mapping[str, Any]) -> Frame:
        """The id is the seq of its entry, so it is never used twice in a session's life."""
        id: RequestId = step.next_seq
        if self.clients or self.stamper.asked(id) is not None:
            id = f"server-{id}"  # a client that numbers its own requests was there before
        return request(id, method, params)

    def notify(self, step: SessionStep, method: str, params: Mapping[str, Any]) -> None:
        """Add a notification of our own to a step that the caller commits."""
        frame = notification(method, params)
        self.stamper.client_frame(step, frame)
        step.after_commit(lambda: self.to_agent(frame))

    def answer_passed_on(self, frame: Frame, *, raw: bytes | None = None) -> None:
        """The answer of a client to what was passed on to it. Raises: StorageError."""
        step = self.step()
        self.respond(step, frame, raw=raw)
        self.log.append(step)

    def respond(self, step: SessionStep, frame: Frame, *, raw: bytes | None = None) -> None:
        """Add an answer to a request of the agent to a step that the caller commits."""
        self.stamper.client_frame(step, frame, raw=raw)
        self._screening.answered(frame.get("id"))
        step.after_commit(lambda: self.to_agent(frame))

    def _connected(self) -> AgentConnection:
        """Raises: Unavailable, AgentProcessExited."""
        if self._connection is None:
            raise Unavailable("the agent is not running")
        self._connection.check()
        return self._connection

    def _send(
        self,
        connection: AgentConnection,
        step: SessionStep,
        frame: Frame,
        *,
        raw: bytes | None = None,
        shown: Frame | None = None,
        annotations: Mapping[str, Any] | None = None,
        answer_annotations: dict[str, Any] | None = None,
        expects: bool = True,
    ) -> asyncio.Future[Frame] | None:
        id = frame.get("id")
        self._screening.addressee.asked(frame["method"], frame.get("params"))
        self.stamper.client_frame(
            step,
            shown or frame,
            raw=raw,
            annotations=annotations,
            answer_annotations=answer_annotations,
        )
        step.after_commit(lambda: self._pass_on(connection, frame))
        answer = connection.expect(id) if expects and id is not None else None
        try:
            self.log.append(step)
        except StorageError:
            self.stamper.take_back(id)
            if answer is not None:
                answer.cancel()
            raise
        return answer

    def to_agent(self, frame: Frame) -> None:
        """A frame that is in the log already; dropped when the agent is gone."""
        if (asked := self._asked_for_agent.pop(frame.get("id"), None)) is not None:
            if not asked.done():
                asked.set_result(frame)
            return
        if self._connection is not None:
            self._pass_on(self._connection, frame)

    def hold(self) -> None:
        """Nothing is sent to the agent until `release`, and then all of it in order."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        while self._held and not self._holds:
            connection, frame = self._held.popleft()
            connection.send(frame)

    def _pass_on(self, connection: AgentConnection, frame: Frame) -> None:
        if self._holds:
            self._held.append((connection, frame))
        else:
            connection.send(frame)

    # The agent's end

    def ask_for_agent(self, wire: WireFrame) -> asyncio.Future[Frame]:
        """A request that we make for the agent, under an id of ours, as if it had come from it: into the log, and before
        a person or a client. The frame that answers it; an error when the agent is gone.

        Raises: Unavailable, AgentProcessExited: it is gone already.
        """
        self._connected()
        asked: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked_for_agent[wire.frame["id"]] = asked
        self.receive([wire])
        return asked

    def withdraw_for_agent(self, id: str, wire: WireFrame) -> None:
        """It waits for the answer to `ask_for_agent` no longer. `wire`: the notification that says so."""
        if (asked := self._asked_for_agent.pop(id, None)) is not None:
            asked.cancel()
            if self._connection is not None:
                self.receive([wire])

    def receive(self, batch: list[WireFrame]) -> None:
        if self._is_cut_off:
            return
        if self._waiting is not None:
            self._waiting.append(batch)
            return
        step = self._step_of(batch)
        try:
            self.log.append(step)
        except StorageError as exc:
            logger.error("session %s: %s", self.log.session_id, exc.message)
            self.log.keep_out_others(step)
            self._waiting = deque()
            self._is_written.clear()
            if self._connection is not None:
                self._connection.pause()
            self._tasks.spawn(self._write_patiently(step), name="write")

    async def gone(self, connection: AgentConnection, ended: AgentExit) -> None:
        if self._waiting is not None:
            await self._is_written.wait()
        self._is_cut_off = False
        if self._connection is connection:
            self._connection = None
        self.stamper.forget_asked()
        try:
            await self._owner.agent_gone(connection, ended)
        finally:
            self.requests.close()
            asked, self._asked_for_agent = self._asked_for_agent, {}
            for id, answer in asked.items():
                if not answer.done():
                    answer.set_result(error_response(id, INTERNAL_ERROR, "the agent is gone"))

    async def append_patiently(self, step: SessionStep, *, retry_s: float | None = None) -> None:
        """For what must be said, `storage_retry_s` long unless told otherwise. Raises: StorageError."""
        if retry_s is None:
            retry_s = self._limits.storage_retry_s
        await self.log.append_patiently(step, retry_s=retry_s, give_up=self._gives_up)

    def give_up_waiting(self, on: bool) -> None:
        """The session is being stopped: what cannot be written now is not waited for."""
        if on:
            self._gives_up.set()
        else:
            self._gives_up.clear()

    async def close(self) -> None:
        self.requests.close()
        await self._tasks.cancel()

    async def _write_patiently(self, step: SessionStep) -> None:
        """Meanwhile the agent is held back, and nothing else gets into the log."""
        assert self._waiting is not None
        try:
            await self.append_patiently(step)
            while self._waiting:
                await self.append_patiently(self._step_of(self._waiting.popleft()))
        except StorageError as exc:
            self._is_cut_off = True
            if self._connection is not None:
                self._connection.kill_soon(exc)
        finally:
            self._waiting = None
            self._is_written.set()
            if self._connection is not None:
                self._connection.resume()

    def _step_of(self, batch: list[WireFrame]) -> SessionStep:
        step = self.step()
        self._screening.begin_batch()
        addressee = self._screening.addressee
        for wire in batch:
            frame = wire.frame
            method = frame.get("method")
            if method == acp.SESSION_UPDATE:
                other = addressee.other_session(frame, step.state.agent_session_id)
                options = step.state.options
                if not self.stamper.update(step, wire.raw, frame, other_session=other):
                    if step.state.options is not options:
                        self._owner.options_announced(step, options)
                    self.requests.told(frame)
                    self.meter.updated(frame)
                if frame.get("id") is not None:
                    # It was sent as a request, so somebody waits for it to be taken.
                    self.respond(step, response(frame["id"], None))
            elif not isinstance(method, str):
                self._add_answer(step, wire)
            elif frame.get("id") is not None:
                self._add_request(step, wire, method)
            else:
                self._add_notification(step, wire, method)
        if self.stamper.running_turn_id is None and not self.stamper.tasks:
            # Nothing will come that would complete it.
            self.stamper.close_items(step)
        return step

    def _add_request(self, step: SessionStep, wire: WireFrame, method: str) -> None:
        if self._screening.refuses(step, wire, method):
            return
        # Only the server asks for functions of a client: an agent that wrote it would go around their approval.
        is_ours = method != extensions.HOST_TOOL or wire.frame["id"] in self._asked_for_agent
        if method in _FOR_A_PERSON and is_ours:
            self.requests.ask(step, wire)
            return
        self.stamper.agent_request(step, wire.raw, wire.frame)
        id = wire.frame["id"]
        if (serve := self.services.get(method)) is not None:
            self._screening.serves(id)
            step.after_commit(lambda: serve(wire.frame))
            return
        if self.clients:
            self._screening.serves(id)
            return
        refusal = error_response(id, METHOD_NOT_FOUND, f"the client does not offer {method}")
        self.respond(step, refusal)

    def _add_notification(self, step: SessionStep, wire: WireFrame, method: str) -> None:
        if method in extensions.OF_TASKS:
            self.stamper.task(step, wire.raw, wire.frame, max_tasks=self._limits.max_tasks)
            return
        if method == extensions.TURN_STARTED and self.stamper.own_turn_id is None:
            turn_id = new_id("turn")
            self.meter.begin(turn_id)
            self.stamper.begin_own_turn(step, wire.raw, wire.frame, turn_id)
            because_of = as_text(as_dict(wire.frame.get("params")).get("taskId"))
            self._owner.own_turn_begun(step, turn_id, because_of)
            return
        if method == extensions.TURN_ENDED and self.stamper.own_turn_id is not None:
            self._cancel_requests(step, self.stamper.own_turn_id)
            own_turn_id = self.stamper.own_turn_id
            self.stamper.end_own_turn(step, wire.raw, wire.frame)
            self.meter.end(own_turn_id)
            step.ends_turn = True
            self._owner.own_turn_ended(step, wire.frame)
            return
        params = as_dict(wire.frame.get("params"))
        if method == extensions.MODEL_RESPONDED:
            so_far = self.meter.model_responded(params)
            noted = None if so_far is None else {"turn": so_far}
            self.stamper.agent_notification(step, wire.raw, wire.frame, annotations=noted)
            return
        self.stamper.agent_notification(step, wire.raw, wire.frame)
        if method == acp.CANCEL_REQUEST:
            if (rpc_id := params.get("requestId")) is not None:
                self.requests.withdraw(step, rpc_id)
        elif method == extensions.AGENT_UNPARSED:
            self._screening.unparsed(step, params)
        elif method in _FOR_A_PERSON:
            self._screening.without_id(step, method)

    def _add_answer(self, step: SessionStep, wire: WireFrame) -> None:
        frame = wire.frame
        method = self.stamper.answered_by(frame)
        turn_id = self.stamper.turn_id
        if method in operations.BEGIN_A_TURN:
            self._cancel_requests(step, turn_id)
        last_words = ""
        if "error" in frame and self._connection is not None and says_nothing(frame["error"]):
            last_words = self._connection.last_words
        self.stamper.agent_response(step, wire.raw, frame, last_words=last_words)
        if last_words:
            frame = with_last_words(frame, last_words)
        self._screening.addressee.answered(method, frame.get("result"))
        if method in operations.BEGIN_A_TURN:
            self.meter.end(turn_id)
            step.ends_turn = True
            self._owner.turn_answered(step, frame)
        if method is not None and (connection := self._connection) is not None:
            step.after_commit(lambda: connection.resolve(frame["id"], frame))

    def _cancel_requests(self, step: SessionStep, turn_id: str | None) -> None:
        """The turn is over: nobody will act on an answer any more."""
        for answer in self.requests.cancel_of_turn(step, turn_id):
            step.after_commit(partial(self.to_agent, answer))
