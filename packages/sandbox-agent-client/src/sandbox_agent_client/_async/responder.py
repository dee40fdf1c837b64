"""Gives the open permissions or questions of a session to one callback, one at a time.

It asks the server which are open instead of trusting the stream: a callback is never called for a
request that was answered meanwhile, and requests from before the callback are not forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sandbox_agent_core.errors import RequestAlreadyResolved, SandboxAgentError
from sandbox_agent_core.events import Event as SessionEvent

from sandbox_agent_client._async._backend import Background, Event, settle
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.requests import PermissionRequest, QuestionRequest
from sandbox_agent_client._resume import is_fatal

__all__ = ["ListPending", "Responder"]

logger = logging.getLogger(__name__)

RETRY_S = 1.0

PendingRequest = PermissionRequest | QuestionRequest
ListPending = Callable[[], Coroutine[Any, Any, list[PendingRequest]]]


class Responder:
    def __init__(
        self,
        name: str,
        kind: type[PendingRequest],
        callback: Callable[[Any], object],
        list_pending: ListPending,
    ) -> None:
        self._name = name
        self._kind = kind
        self._event_type = (
            "permission.requested" if kind is PermissionRequest else "question.requested"
        )
        self._callback = callback
        self._list_pending = list_pending
        self._given: set[str] = set()
        self._interrupt = Interrupt()
        self._wake = Event()
        self._wake.set()  # what is open already
        self._background = Background(name, self._run)

    @property
    def is_done(self) -> bool:
        return self._background.is_done

    def notify(self, event: SessionEvent) -> None:
        """Called by the reader of the session with every event."""
        if event.type == self._event_type:
            self._wake.set()

    def end(self) -> None:
        self._interrupt.set()
        self._wake.set()

    async def stop(self) -> None:
        self.end()
        await self._background.stop()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._give_all()
            except SandboxAgentError as exc:
                if is_fatal(exc):
                    logger.error("%s ended: %s", self._name, exc)
                    return
                logger.warning("%s: trying again: %s", self._name, exc)
                await self._interrupt.sleep(RETRY_S)
                self._wake.set()
            if self._interrupt.is_set:
                return

    async def _give_all(self) -> None:
        while not self._interrupt.is_set:
            request = next(iter(await self._fresh()), None)
            if request is None:
                return
            self._given.add(request.id)
            await self._give(request)

    async def _fresh(self) -> list[PendingRequest]:
        pending = [
            request for request in await self._list_pending() if isinstance(request, self._kind)
        ]
        # Ids that are not open any more never come back.
        self._given &= {request.id for request in pending}
        return [request for request in pending if request.id not in self._given]

    async def _give(self, request: PendingRequest) -> None:
        try:
            await settle(self._callback(request))
        except RequestAlreadyResolved:
            logger.debug("%s: %s was answered by somebody else first", self._name, request.id)
        except Exception:
            logger.exception("%s: the callback failed, %s stays open", self._name, request.id)
