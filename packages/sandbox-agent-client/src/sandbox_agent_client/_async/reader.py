"""The background reader of a session: one stream, any number of callbacks."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.events import Event
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

from sandbox_agent_client._async._backend import Background, is_end_of_task, settle
from sandbox_agent_client._async.interrupt import Interrupt

__all__ = ["Follow", "Reader", "Subscriber"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Follow = Callable[[int, Interrupt], AsyncGenerator[LogEntry, None]]


class Subscriber:
    def __init__(
        self,
        deliver: Callable[[Event], object],
        *,
        after: int | None,
        on_error: Callable[[SandboxAgentError], object] | None = None,
    ) -> None:
        """`after` None: from where the reader is when the subscriber joins."""
        self.deliver = deliver
        self.after = after
        self.on_error = on_error


class Reader:
    """Runs from its first subscriber until the last has left, `stop`, or an error that is fatal."""

    def __init__(self, name: str, follow: Follow, after: int) -> None:
        self._name = name
        self._follow = follow
        self._position = after
        self._subscribers: tuple[Subscriber, ...] = ()
        self._interrupt = Interrupt()
        self._background: Background | None = None
        # Callers and the reader's own thread both look at position and subscribers; never held
        # while waiting, so it serves the asynchronous twin as well.
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        return self._background is not None and self._background.is_done

    def join(self, subscriber: Subscriber) -> bool:
        """False when it has ended, or is already past what the subscriber wants."""
        with self._lock:
            if self._interrupt.is_set:
                return False
            if subscriber.after is None:
                subscriber.after = self._position
            if subscriber.after < self._position:
                return False
            self._subscribers = (*self._subscribers, subscriber)
            if self._background is None:
                self._background = Background(self._name, self._run)
        return True

    def leave(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)
            # Inside the lock: nobody must join a reader that is about to end.
            if not self._subscribers:
                self._interrupt.set()

    def end(self) -> None:
        self._interrupt.set()

    async def stop(self) -> None:
        self.end()
        if self._background is not None:
            await self._background.stop()

    async def _run(self) -> None:
        try:
            async with aclosing(self._follow(self._position, self._interrupt)) as entries:
                async for entry in entries:
                    await self._dispatch(entry)
                    if self._interrupt.is_set:
                        return
        except SandboxAgentError as exc:
            await self._fail(exc)
        finally:
            self._interrupt.set()

    async def _dispatch(self, entry: LogEntry) -> None:
        with self._lock:
            self._position = entry.seq
            subscribers = self._subscribers
        event = project(entry)
        if event is None:
            return
        for subscriber in subscribers:
            if subscriber.after is not None and entry.seq > subscriber.after:
                await self._call(subscriber.deliver, event)

    async def _fail(self, error: SandboxAgentError) -> None:
        with self._lock:
            self._interrupt.set()
            subscribers = self._subscribers
        for subscriber in subscribers:
            if subscriber.on_error is None:
                logger.error("%s ended: %s", self._name, error)
            else:
                await self._call(subscriber.on_error, error)

    async def _call(self, callback: Callable[[T], object], argument: T) -> None:
        try:
            await settle(callback(argument))
        except BaseException as exc:
            if is_end_of_task(exc):
                raise
            logger.error("%s: a callback failed", self._name, exc_info=exc)
