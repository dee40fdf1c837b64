# Generated from `_async/responder.py` by `scripts/unasync.py`: do not edit.
"""Gives the open permissions or questions of a session to one callback, one at a time.

It asks the server which are open instead of trusting the stream: a callback is never called for a
request that was answered meanwhile, and requests from before the callback are not forgotten.

A callback that fails gives no answer, and an agent must not wait for one for ever: the request is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sandbox_agent_core.errors import CallbackError, RequestAlreadyResolved, SandboxAgentError
from sandbox_agent_core.events import Event as SessionEvent

from sandbox_agent_client._callbacks import is_meant_as_answer
from sandbox_agent_client._resume import is_fatal
from sandbox_agent_client._sync._backend import Background, Event, is_end_of_task, settle
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.requests import (
    AfterToolSync,
    AnyRequest,
    BeforeToolSync,
    PermissionRequestSync,
    QuestionRequestSync,
)

__all__ = ["ListPending", "Responder"]

logger = logging.getLogger(__name__)

RETRY_S = 1.0
ACTOR = "a callback that failed"

_EVENTS = {
    # A permission may be the hook's first; one whose hook has been answered is a person's.
    PermissionRequestSync: ("permission.requested", "hook.resolved"),
    QuestionRequestSync: ("question.requested",),
    BeforeToolSync: ("hook.requested", "permission.requested"),
    AfterToolSync: ("hook.requested",),
}
_KINDS = {
    PermissionRequestSync: "permission",
    QuestionRequestSync: "question",
    BeforeToolSync: "hook before a tool",
    AfterToolSync: "hook after a tool",
}
ListPending = Callable[[], list[AnyRequest]]


class Responder:
    def __init__(
        self,
        name: str,
        kind: type[AnyRequest],
        callback: Callable[[Any], object],
        list_pending: ListPending,
        *,
        on_failure: Callable[[CallbackError], None],
    ) -> None:
        """`on_failure` is told what the callback raised, before the request is refused."""
        self.kind = kind
        self._name = name
        self._event_types = _EVENTS[kind]
        self._callback = callback
        self._list_pending = list_pending
        self._on_failure = on_failure
        self._given: set[str] = set()
        self._failed: set[str] = set()
        """Which are to be refused, because the callback could not answer them."""
        self._interrupt = Interrupt()
        self._wake = Event()
        self._wake.set()  # what is open already
        self._background = Background(name, self._run)

    @property
    def is_done(self) -> bool:
        return self._background.is_done

    def notify(self, event: SessionEvent) -> None:
        """Called by the reader of the session with every event."""
        if event.type in self._event_types:
            self._wake.set()

    def end(self) -> None:
        self._interrupt.set()
        self._wake.set()

    def stop(self) -> None:
        self.end()
        self._background.stop()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self._give_all()
            except SandboxAgentError as exc:
                if is_fatal(exc):
                    logger.error("%s ended: %s", self._name, exc)
                    return
                logger.warning("%s: trying again: %s", self._name, exc)
                self._retry()
            except Exception:
                if not self._interrupt.is_set:
                    logger.exception("%s: trying again", self._name)
                    self._retry()
            if self._interrupt.is_set:
                return

    def _retry(self) -> None:
        self._interrupt.sleep(RETRY_S)
        self._wake.set()

    def _give_all(self) -> None:
        while not self._interrupt.is_set:
            request = next(iter(self._fresh()), None)
            if request is None:
                return
            self._give(request)
            self._given.add(request.id)

    def _fresh(self) -> list[AnyRequest]:
        pending = [
            request
            for request in map(_whose, self._list_pending())
            if isinstance(request, self.kind)
        ]
        # Ids that are not open any more never come back.
        open_ids = {request.id for request in pending}
        self._given &= open_ids
        self._failed &= open_ids
        return [request for request in pending if request.id not in self._given]

    def _give(self, request: AnyRequest) -> None:
        if request.id not in self._failed:
            cause = self._call(request)
            if cause is None or self._interrupt.is_set:
                return
            self._failed.add(request.id)
            logger.error(
                "%s: the callback failed, %s is refused", self._name, request.id, exc_info=cause
            )
            self._on_failure(_failure(request, cause))
        try:
            _refuse(request)
        except RequestAlreadyResolved:
            logger.debug("%s: %s was answered before its callback failed", self._name, request.id)

    def _call(self, request: AnyRequest) -> BaseException | None:
        """What the callback raised, if it did."""
        try:
            result = settle(self._callback(request))
            request.replies.finish()
            is_silent = result is None and request.replies.is_empty
            if is_silent and isinstance(request, (BeforeToolSync, AfterToolSync)):
                request.proceed()
            if is_meant_as_answer(result) and self._is_unanswered(request):
                raise TypeError(
                    f"The callback returned {result!r}, which answers nothing: call a method of the request."
                )
        except RequestAlreadyResolved:
            logger.debug("%s: %s was answered by somebody else first", self._name, request.id)
        except BaseException as exc:
            if is_end_of_task(exc):
                raise
            return exc
        return None

    def _is_unanswered(self, request: AnyRequest) -> bool:
        return request.replies.is_empty and request.id in {
            pending.id for pending in self._list_pending()
        }


def _whose(request: AnyRequest) -> AnyRequest:
    """A permission through which a hook is asked is the hook's, until that has answered."""
    if isinstance(request, PermissionRequestSync) and request.is_for_hook:
        return request.before_tool()
    return request


def _refuse(request: AnyRequest) -> None:
    if isinstance(request, PermissionRequestSync):
        request.reject(actor=ACTOR)
    elif isinstance(request, BeforeToolSync):
        request.deny(actor=ACTOR)
    elif isinstance(request, AfterToolSync):
        request.proceed(actor=ACTOR)
    elif isinstance(request, QuestionRequestSync):
        request.decline(actor=ACTOR)


def _failure(request: AnyRequest, cause: BaseException) -> CallbackError:
    came_of_it = "nothing was added" if isinstance(request, AfterToolSync) else "it was refused"
    error = CallbackError(
        f"The callback for a {_KINDS[type(request)]} failed, so {came_of_it}: {type(cause).__name__}: {cause}",
        requestId=request.id,
        turnId=request.turn_id,
    )
    error.__cause__ = cause
    return error
