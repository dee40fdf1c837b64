"""The requests of an agent that wait for an answer.

First answer wins. Nothing is answered before the answer is in the log, and nothing waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sandbox_agent_core.api.host_tools import HostTool
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import (
    InvalidRequest,
    RequestAlreadyResolved,
    RequestNotFound,
    StorageError,
)
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import same_id
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, compact
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.log.stamper import Stamper
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.requests.answers import (
    Answer,
    PendingRequest,
    allow,
    answered_by_frame,
    cancelled,
    deny,
    hook_answer,
    host_tool_answer,
    read_request,
    resolve_by_user,
    subject_of,
)
from sandbox_agent_server.sessions.requests.details import (
    AnswerDetails,
    check_input,
    with_details,
)
from sandbox_agent_server.sessions.requests.hooks import (
    answered,
    answered_through_permission,
    check_result,
    is_asked_through_permission,
    is_wanted,
)
from sandbox_agent_server.sessions.requests.host_calls import as_host_call, is_asked_by_us
from sandbox_agent_server.sessions.requests.options import grant_of
from sandbox_agent_server.sessions.requests.policy import Decision, decide
from sandbox_agent_server.sessions.requests.tellings import Tellings
from sandbox_agent_server.sessions.state import SessionState

__all__ = ["PendingRequests", "cancel_left_over"]

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0


class PendingRequests:
    def __init__(
        self,
        stamper: Stamper,
        *,
        new_step: Callable[[], SessionStep],
        commit: Callable[[SessionStep], None],
        send: Callable[[Frame], None],
        earlier: Callable[[str], Mapping[str, Any] | None],
        max_pending: int,
        max_pending_bytes: int,
    ) -> None:
        """`send` gives an answer to the agent. `earlier` finds the resolution of a request by its id."""
        self._stamper = stamper
        self._new_step = new_step
        self._commit = commit
        self._send = send
        self._earlier = earlier
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        self._tellings = Tellings()
        self._open: dict[str, PendingRequest] = {}
        self._sizes: dict[str, int] = {}
        """Of what is open, in bytes as the agent wrote it."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.stop_turn: Callable[[str | None], None] = lambda _turn_id: None
        """Told the turn that a refusal is to end, where its agent cannot be told."""
        self.host_tools: Callable[[], Mapping[str, HostTool]] = dict
        """The functions of a client that the agent can call, by name."""

    def __len__(self) -> int:
        return len(self._open)

    # From the agent

    def told(self, frame: Frame) -> None:
        """A `session/update`: it may be about a tool call that a permission will be asked for."""
        self._tellings.add(frame)

    def ask(self, step: SessionStep, wire: WireFrame) -> None:
        """Add the request to the step, and its answer, if a policy decides."""
        policy = step.state.settings.permission_policy
        tool_id = as_dict(as_dict(wire.frame.get("params")).get("toolCall")).get("toolCallId")
        request = read_request(
            new_id("req"),
            wire.frame,
            turn_id=self._stamper.turn_of_call(subject_of(wire.frame)),
            now_ms=step.time_ms,
            timeout_s=policy.timeout_s,
            on_timeout=policy.on_timeout,
            told=(told := self._tellings.of(tool_id)),
            so_far=None if told is None else self._stamper.tool_so_far(tool_id),
        )
        if request.kind == "host_tool":
            request = as_host_call(request, self.host_tools(), now_ms=step.time_ms)
        size = len(wire.raw)
        answer = self._decide(step, request, size)
        if is_asked_through_permission(request, step.state) and (answer is None or answer.allows):
            # What a rule allows is the hook's affair all the same.
            request, answer = replace(request, hook="before_tool"), None
        self._stamper.agent_request(
            step,
            wire.raw,
            wire.frame,
            request_id=request.id,
            annotations=request.annotations,
            # After a tool there is nothing to be known of it any more.
            tool_call=None if request.hook == "after_tool" else request.tool_call,
        )
        if answer is None:
            self._open[request.id] = request
            self._sizes[request.id] = size
            step.after_commit(lambda: self._arm(request))
        else:
            done = with_details(answer, AnswerDetails(), step.state)
            self._resolve(step, request, done)
            step.after_commit(lambda: self._deliver(request, done))

    def withdraw(self, step: SessionStep, rpc_id: Any) -> None:
        """The agent no longer wants an answer (`$/cancel_request`)."""
        for request in self._open_in(step):
            if same_id(request.rpc_id, rpc_id):
                self._resolve(step, request, cancelled(request, "cancel"))

    def is_asked(self, rpc_id: Any) -> bool:
        """A request with this id waits for its answer."""
        return any(same_id(request.rpc_id, rpc_id) for request in self._open.values())

    def refuse(self, step: SessionStep, refusal: Frame) -> bool:
        """Close the open request with the id of this response: the agent is owed it. False: there is none."""
        for request in self._open_in(step):
            if same_id(request.rpc_id, refusal["id"]):
                self._resolve(step, request, replace(cancelled(request, "cancel"), frame=refusal))
                return True
        return False

    def cancel_of_turn(self, step: SessionStep, turn_id: str | None) -> list[Frame]:
        """Close what is asked neither by a turn that goes on when this one ends nor by a background task.
        Returns the answers that the agent is owed."""
        return self._cancel(
            step,
            [
                request
                for request in self._open_in(step)
                if request.turn_id not in self._stamper.running_turns - {turn_id}
                and not self._stamper.is_in_background(request.subject)
            ],
        )

    def cancel_in_foreground(self, step: SessionStep) -> list[Frame]:
        """Close what turns ask. Returns the answers that the agent is owed."""
        return self._cancel(
            step,
            [one for one in self._open_in(step) if not self._stamper.is_in_background(one.subject)],
        )

    def cancel_in_background(self, step: SessionStep) -> list[Frame]:
        """Close what background tasks ask. Returns the answers that the agent is owed."""
        return self._cancel(
            step,
            [one for one in self._open_in(step) if self._stamper.is_in_background(one.subject)],
        )

    def cancel_all(self, step: SessionStep) -> list[Frame]:
        """Close every open request as cancelled. Returns the answers that the agent is owed."""
        return self._cancel(step, self._open_in(step))

    def _cancel(self, step: SessionStep, requests: list[PendingRequest]) -> list[Frame]:
        frames = []
        for request in requests:
            answer = cancelled(request, "cancel")
            self._resolve(step, request, answer)
            frames.append(answer.frame)
        return frames

    # From a person

    def answer(self, request_id: str, body: AnswerRequest) -> dict[str, Any]:
        """Record and deliver; returns the resolution.

        Raises:
            RequestNotFound: never asked here.
            RequestAlreadyResolved: somebody was first; the error carries that resolution.
            InvalidRequest: the answer does not fit the request.
            OperationNotSupported: the agent does not take what it says beside the choice.
            InputForbidden: it would do what the session's rules or mode deny.
            StorageError: not recorded, so not delivered; the request stays open.
        """
        request = self._open.get(request_id)
        if request is None:
            raise self._why_not_open(request_id)
        if request.kind == "host_tool":
            raise InvalidRequest(
                f"{request_id!r} is a call of a client's function: the client answers it, at `…/tools/{request_id}`"
            )
        state, details = self._new_step().state, AnswerDetails.of_body(body)
        if request.kind == "hook":
            return self._settle(request, answered(request, body, state), sender_is_user=True)
        if body.hook is not None and request.kind == "permission" and request.hook is not None:
            return self._hook_answered(request, body, state)
        answer = resolve_by_user(request, body)
        if request.kind == "permission":
            answer = with_details(answer, details, state)
            if details.updated_input is not None:
                check_input(request, details.updated_input, state)
        return self._settle(request, answer, sender_is_user=True)

    def _hook_answered(
        self, request: PendingRequest, body: AnswerRequest, state: SessionState
    ) -> dict[str, Any]:
        """The answer to the permission, or the permission goes to the policy, or to a person."""
        said = body.hook
        assert said is not None
        answer, sender_is_user = answered_through_permission(request, body, state), True
        if answer is None and said.decision is None:
            decision, sender_is_user = self._judge(state, request), False
            if decision.action != "ask":
                answer = with_details(_act_on(decision, request), AnswerDetails(), state)
        told = compact(
            outcome="decided",
            decidedBy="user",
            actor=body.actor,
            **said.model_dump(by_alias=True, exclude_none=True),
        )
        step = self._new_step()
        params = {"requestId": request.id, **told}
        self._stamper.server_entry(step, extensions.HOOK_RESOLVED, params, item_id=request.id)
        if answer is not None:
            return self._settle(request, answer, sender_is_user=sender_is_user, step=step)
        self._commit(step)
        self._open[request.id] = replace(request, hook=None)
        return {**params, "kind": "hook", "resolvedAt": rfc3339(step.time_ms)}

    # From the client whose function it is

    def host_call(self, request_id: str) -> str:
        """The id under which it waits. Raises: RequestNotFound, RequestAlreadyResolved."""
        request = self._open.get(request_id)
        if request is None or request.kind != "host_tool":
            raise self._why_not_open(request_id)
        return str(request.rpc_id)

    def answer_host_call(self, request_id: str, result: dict[str, Any]) -> None:
        """Raises: RequestNotFound, RequestAlreadyResolved, StorageError."""
        self.host_call(request_id)
        request = self._open[request_id]
        self._settle(request, host_tool_answer(request, result, "user"), sender_is_user=True)

    def fail_host_call(self, rpc_id: str, result: dict[str, Any]) -> bool:
        """False: that cannot be recorded at the moment."""
        for request in list(self._open.values()):
            if request.kind == "host_tool" and request.rpc_id == rpc_id:
                answer = host_tool_answer(request, result, "timeout")
                try:
                    self._settle(request, answer, sender_is_user=False)
                except StorageError:
                    return False
        return True

    def answer_frame(self, frame: Frame, *, actor: str | None = None) -> None:
        """The response of an ACP client to a request of the agent, as it is.

        Raises:
            RequestNotFound: no open request has this id.
            InputForbidden: it would do what the session's rules or mode deny.
            StorageError: not recorded, so not delivered; the request stays open.
        """
        for request in self._open.values():
            # A client of ACP alone knows nothing of functions, and its refusal is no answer of theirs.
            if request.kind != "host_tool" and same_id(request.rpc_id, frame.get("id")):
                answer = answered_by_frame(request, frame)
                if actor is not None:
                    answer = replace(answer, annotations={**answer.annotations, "actor": actor})
                if request.kind == "permission":
                    details = AnswerDetails.of_frame(as_dict(frame.get("result")))
                    if details.updated_input is not None:
                        check_input(request, details.updated_input, self._new_step().state)
                    told = {**answer.annotations, **details.annotations}
                    answer = replace(answer, annotations=told)
                elif request.kind == "hook":
                    result = as_dict(frame.get("result"))
                    check_result(request, result, self._new_step().state)
                self._settle(request, answer, sender_is_user=True)
                return
        raise RequestNotFound(f"the agent asked nothing under the id {frame.get('id')!r}")

    def close(self) -> None:
        """The agent is gone: nobody waits for an answer any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._open.clear()
        self._sizes.clear()
        self._tellings.clear()

    def _decide(self, step: SessionStep, request: PendingRequest, size: int) -> Answer | None:
        if len(self._open) >= self._max_pending:
            return deny(request, "policy", rule="limit max_pending_requests")
        if sum(self._sizes.values()) + size > self._max_pending_bytes:
            return deny(request, "policy", rule="limit max_pending_bytes")
        if request.kind == "question":
            return None
        if request.kind == "host_tool":
            decision = self._judge(step.state, request)
            return _act_on(decision, request) if decision.action == "deny" else None
        if request.kind == "hook" and not is_wanted(request, step.state):
            return hook_answer(request, {}, "policy", rule="no hooks")
        if request.hook == "after_tool":
            return None
        decision = self._judge(step.state, request)
        if decision.action == "ask" or (request.kind == "hook" and decision.action == "allow"):
            return None
        return _act_on(decision, request)

    def _judge(self, state: SessionState, request: PendingRequest) -> Decision:
        """By the session's policy and mode."""
        settings = state.settings
        decision = decide(
            settings.permission_policy,
            request.facts,
            cwd=settings.cwd,
            directories=settings.additional_directories,
            mode=state.options.permission_mode,
            is_granted=grant_of(request.facts) in state.grants,
        )
        if decision.action == "ask" and is_asked_by_us(request, self.host_tools()):
            return Decision("allow", "tool of the client")
        return decision

    def _arm(self, request: PendingRequest) -> None:
        delay = request.expires_ms / 1000 - time.time()
        self._expire_in(max(0.0, delay), request)

    def _expire_in(self, delay_s: float, request: PendingRequest) -> None:
        loop = asyncio.get_running_loop()
        self._timers[request.id] = loop.call_later(delay_s, self._expire, request)

    def _expire(self, request: PendingRequest) -> None:
        if request.id not in self._open:
            return
        if request.kind == "hook" and request.default == "none":
            answer = hook_answer(request, {}, "timeout")
        else:
            act = allow if request.default == "allow" else deny
            answer = act(request, "timeout")
        try:
            answer = with_details(answer, AnswerDetails(), self._new_step().state)
            self._settle(request, answer, sender_is_user=False)
        except StorageError as exc:
            logger.warning("%s: cannot record the timeout yet: %s", request.id, exc.message)
            self._expire_in(_RETRY_S, request)

    def _settle(
        self,
        request: PendingRequest,
        answer: Answer,
        *,
        sender_is_user: bool,
        step: SessionStep | None = None,
    ) -> dict[str, Any]:
        step = step or self._new_step()
        self._add_answer(step, request, answer, sender_is_user=sender_is_user)
        self._commit(step)
        self._forget(request)
        self._deliver(request, answer)
        resolution = step.changes[-1].resolution
        assert resolution is not None
        return resolution

    def _deliver(self, request: PendingRequest, answer: Answer) -> None:
        self._send(answer.frame)
        if answer.stops_turn:
            self.stop_turn(request.turn_id)

    def _resolve(self, step: SessionStep, request: PendingRequest, answer: Answer) -> None:
        """Within a step that others commit: until it is, the request is open, and the log lets nobody else in."""
        self._add_answer(step, request, answer, sender_is_user=False)
        step.after_commit(lambda: self._forget(request))

    def _open_in(self, step: SessionStep) -> list[PendingRequest]:
        """What is open and not answered in this step already."""
        return [one for one in self._open.values() if one.id in step.state.pending]

    def _add_answer(
        self, step: SessionStep, request: PendingRequest, answer: Answer, *, sender_is_user: bool
    ) -> None:
        self._stamper.answer(
            step,
            "client" if sender_is_user else "server",
            answer.frame,
            method=request.method,
            request_id=request.id,
            annotations=answer.annotations,
            turn_id=request.turn_id,
        )

    def _forget(self, request: PendingRequest) -> None:
        self._open.pop(request.id, None)
        self._sizes.pop(request.id, None)
        if (timer := self._timers.pop(request.id, None)) is not None:
            timer.cancel()

    def _why_not_open(self, request_id: str) -> RequestNotFound | RequestAlreadyResolved:
        resolution = self._earlier(request_id)
        if resolution is None:
            return RequestNotFound(f"this session never asked {request_id!r}")
        who = resolution.get("actor") or resolution["decidedBy"]
        return RequestAlreadyResolved(
            f"request {request_id!r} was resolved by {who} at {resolution['resolvedAt']}: "
            f"{resolution['outcome']}",
            resolution=dict(resolution),
        )


def _act_on(decision: Decision, request: PendingRequest) -> Answer:
    act = allow if decision.action == "allow" else deny
    return act(request, "policy", rule=decision.rule)


def cancel_left_over(step: SessionStep, stamper: Stamper) -> None:
    """After a restart: nobody waits for the answers to what an earlier server left open."""
    for id, asked in list(step.state.pending.items()):
        request = PendingRequest.left_over(id, asked)
        answer = cancelled(request, "cancel")
        stamper.answer(
            step,
            "server",
            answer.frame,
            method=request.method,
            request_id=id,
            annotations=answer.annotations,
            turn_id=request.turn_id,
        )
