"""The desk where an agent's questions wait: policy first, then a person, then the deadline.

First answer wins. Nothing is answered before the answer is in the log, and nothing waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from sandbox_agent_core.api.policy import PermissionMode, PermissionPolicy
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import RequestAlreadyResolved, RequestNotFound, StorageError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.ids import new_id

from sandbox_agent_server.sessions.feed import SessionLog
from sandbox_agent_server.sessions.policy import decide
from sandbox_agent_server.sessions.requests import (
    Answer,
    PendingRequest,
    allow,
    cancelled,
    deny,
    read_request,
    resolve_by_user,
)
from sandbox_agent_server.sessions.stamping import Stamper
from sandbox_agent_server.store import Draft, SessionRow, SqliteStore

__all__ = ["RequestChange", "RequestDesk"]

logger = logging.getLogger(__name__)

RequestChange = tuple[str, dict[str, Any], dict[str, Any] | None]
"""`(id, asked, resolution)`: a row for the store, written with the entries that it belongs to."""

_RETRY_S = 1.0


class RequestDesk:
    def __init__(
        self,
        store: SqliteStore,
        row: SessionRow,
        log: SessionLog,
        stamper: Stamper,
        *,
        max_pending: int,
        send: Callable[[Frame], None],
        permission_mode: Callable[[], PermissionMode | None],
    ) -> None:
        self._store = store
        self._row = row
        self._log = log
        self._stamper = stamper
        self._max_pending = max_pending
        self._send = send
        self._permission_mode = permission_mode
        self._pending: dict[str, PendingRequest] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._pending)

    # Asked by the agent; the caller commits `out` and `changes`, then calls the effects

    def ask(
        self,
        raw: bytes,
        frame: Frame,
        policy: PermissionPolicy,
        out: list[Draft],
        changes: list[RequestChange],
        effects: list[Callable[[], None]],
    ) -> None:
        request = read_request(
            new_id("req"),
            frame,
            turn_id=self._stamper.turn_id,
            now_ms=time.time_ns() // 1_000_000,
            timeout_s=policy.timeout_s,
            on_timeout=policy.on_timeout,
        )
        asked = request.to_asked()
        annotations = {
            "kind": request.kind,
            "expiresAt": asked["expiresAt"],
            "default": request.default,
        }
        self._stamper.agent_request(
            raw,
            request.method,
            out,
            request_id=request.id,
            annotations=annotations,
            tool_call=request.tool_call,
        )
        answer = self._decide(request, policy)
        if answer is None:
            self._pending[request.id] = request
            changes.append((request.id, asked, None))
            effects.append(lambda: self._arm(request))
        else:
            out.append(self._entry(request, answer, sender_is_user=False))
            changes.append((request.id, asked, self._resolution(request, answer)))
            effects.append(lambda: self._send(answer.frame))

    def withdraw(self, rpc_id: Any, out: list[Draft], changes: list[RequestChange]) -> None:
        """The agent no longer wants an answer (`$/cancel_request`)."""
        for request in list(self._pending.values()):
            if request.rpc_id == rpc_id:
                self._close(request, cancelled(request, "cancel"), out, changes)

    def cancel_all(self, out: list[Draft], changes: list[RequestChange]) -> list[Frame]:
        """Close every open request as cancelled. Returns the answers that the agent is owed."""
        frames = []
        for request in list(self._pending.values()):
            answer = cancelled(request, "cancel")
            self._close(request, answer, out, changes)
            frames.append(answer.frame)
        return frames

    def cancel_left_over(self, out: list[Draft], changes: list[RequestChange]) -> None:
        """After a restart: nobody waits for the answers any more."""
        for id_, asked, _ in self._store.requests(self._row.key, pending_only=True):
            request = PendingRequest.left_over(id_, asked)
            answer = cancelled(request, "cancel")
            out.append(self._entry(request, answer, sender_is_user=False))
            changes.append((id_, asked, self._resolution(request, answer)))

    # Answered by a person

    def answer(self, request_id: str, body: AnswerRequest) -> dict[str, Any]:
        """Record and deliver; returns the resolution.

        Raises:
            RequestNotFound: never asked here.
            RequestAlreadyResolved: somebody was first; the error carries that resolution.
            InvalidRequest: the answer does not fit the request.
            StorageError: not recorded, so not delivered; the request stays open.
        """
        request = self._pending.get(request_id)
        if request is None:
            raise self._why_not_open(request_id)
        return self._settle(request, resolve_by_user(request, body), is_user=True)

    def listing(self, *, pending_only: bool) -> list[dict[str, Any]]:
        if pending_only:
            return [request.to_asked() for request in self._pending.values()]
        return [
            asked if resolution is None else {**asked, "resolution": resolution}
            for _, asked, resolution in self._store.requests(self._row.key, pending_only=False)
        ]

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _decide(self, request: PendingRequest, policy: PermissionPolicy) -> Answer | None:
        if len(self._pending) >= self._max_pending:
            return deny(request, "policy", rule="limit max_pending_requests")
        if request.kind == "question":
            return None
        # A permission may repeat no more of its tool call than the id: what it is was told before.
        told = self._stamper.tool_so_far(request.tool_call.get("toolCallId"))
        given = {key: value for key, value in request.tool_call.items() if value is not None}
        decision = decide(
            policy,
            {**told, **given},
            cwd=self._row.settings["cwd"],
            mode=self._permission_mode(),
        )
        if decision.action == "ask":
            return None
        act = allow if decision.action == "allow" else deny
        return act(request, "policy", rule=decision.rule)

    def _arm(self, request: PendingRequest) -> None:
        if request.id not in self._pending:
            return  # withdrawn in the same batch
        delay = request.expires_ms / 1000 - time.time()
        loop = asyncio.get_running_loop()
        self._timers[request.id] = loop.call_later(max(0.0, delay), self._expire, request)

    def _expire(self, request: PendingRequest) -> None:
        if request.id not in self._pending:
            return
        act = allow if request.default == "allow" else deny
        try:
            self._settle(request, act(request, "timeout"), is_user=False)
        except StorageError as exc:
            logger.warning("%s: cannot record the timeout yet: %s", request.id, exc.message)
            loop = asyncio.get_running_loop()
            self._timers[request.id] = loop.call_later(_RETRY_S, self._expire, request)

    def _settle(self, request: PendingRequest, answer: Answer, *, is_user: bool) -> dict[str, Any]:
        resolution = self._resolution(request, answer)
        entry = self._entry(request, answer, sender_is_user=is_user)
        self._log.append([entry], requests=[(request.id, request.to_asked(), resolution)])
        self._forget(request)
        self._send(answer.frame)
        return resolution

    def _close(
        self,
        request: PendingRequest,
        answer: Answer,
        out: list[Draft],
        changes: list[RequestChange],
    ) -> None:
        out.append(self._entry(request, answer, sender_is_user=False))
        changes.append((request.id, request.to_asked(), self._resolution(request, answer)))
        self._forget(request)

    def _forget(self, request: PendingRequest) -> None:
        self._pending.pop(request.id, None)
        if (timer := self._timers.pop(request.id, None)) is not None:
            timer.cancel()

    def _entry(self, request: PendingRequest, answer: Answer, *, sender_is_user: bool) -> Draft:
        return self._stamper.answer(
            "client" if sender_is_user else "server",
            answer.frame,
            method=request.method,
            request_id=request.id,
            annotations=answer.annotations,
        )

    def _resolution(self, request: PendingRequest, answer: Answer) -> dict[str, Any]:
        now = rfc3339(time.time_ns() // 1_000_000)
        return {"requestId": request.id, "resolvedAt": now, **answer.annotations}

    def _why_not_open(self, request_id: str) -> RequestNotFound | RequestAlreadyResolved:
        for id_, _, resolution in self._store.requests(self._row.key, pending_only=False):
            if id_ == request_id and resolution is not None:
                who = resolution.get("actor") or resolution["decidedBy"]
                return RequestAlreadyResolved(
                    f"request {request_id!r} was resolved by {who} at {resolution['resolvedAt']}: "
                    f"{resolution['outcome']}",
                    resolution=resolution,
                )
        return RequestNotFound(f"session {self._row.id!r} never asked {request_id!r}")
