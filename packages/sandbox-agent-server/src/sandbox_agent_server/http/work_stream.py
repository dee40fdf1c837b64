"""Long work as server-sent events: `progress` any number of times, then `completed` with its result or `error`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel
from sandbox_agent_core.errors import InternalError, SandboxAgentError
from sandbox_agent_core.wire.problem import to_problem
from sandbox_agent_core.wire.sse import comment, encode

from sandbox_agent_server.http.stream import SendBody, SseResponse, StreamCounter
from sandbox_agent_server.jsonio import dumps

__all__ = ["work_stream"]

logger = logging.getLogger(__name__)

Progress = TypeVar("Progress", bound=BaseModel)
Told = TypeVar("Told", bound=BaseModel, covariant=True)


class Work(Protocol[Told]):
    def __call__(self, *, on_progress: Callable[[Told], None]) -> Awaitable[BaseModel]: ...


def work_stream(
    work: Work[Progress],
    counter: StreamCounter,
    *,
    step_of: Callable[[Progress], str],
    heartbeat_s: float,
    failure: str,
) -> SseResponse:
    """A slow reader misses the less of a step's progress, never a step or the end. One that leaves cancels the work.

    `failure`: what is said of an error that is none of ours.
    """
    return SseResponse(
        lambda send, _drain: _Progress(step_of, heartbeat_s, failure).pump(work, send), counter
    )


class _Progress(Generic[Progress]):
    def __init__(
        self, step_of: Callable[[Progress], str], heartbeat_s: float, failure: str
    ) -> None:
        self._step_of = step_of
        self._heartbeat_s = heartbeat_s
        self._failure = failure
        self._due: dict[str, Progress] = {}
        """The latest of each step."""
        self._changed = asyncio.Event()

    async def pump(self, work: Work[Progress], send: SendBody) -> None:
        task = asyncio.ensure_future(work(on_progress=self._note))
        task.add_done_callback(lambda _done: self._changed.set())
        try:
            while not task.done():
                await self._wait()
                news = self._take_due()
                if news or not task.done():
                    await send(news or comment("heartbeat"))
            await send(self._take_due() + self._ending(task))
        finally:
            task.cancel()
            # What it has begun it clears away.
            await asyncio.wait([task])

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def _note(self, progress: Progress) -> None:
        self._due[self._step_of(progress)] = progress
        self._changed.set()

    def _take_due(self) -> bytes:
        events = [_event("progress", progress) for progress in self._due.values()]
        self._due.clear()
        return b"".join(events)

    def _ending(self, work: asyncio.Future[BaseModel]) -> bytes:
        error = work.exception()
        if error is None:
            return _event("completed", work.result())
        if not isinstance(error, SandboxAgentError):
            logger.error("%s", self._failure, exc_info=error)
            error = InternalError(self._failure)
        return encode(dumps(to_problem(error)), event="error")


def _event(name: str, body: BaseModel) -> bytes:
    document = body.model_dump(by_alias=True, exclude_none=True, mode="json")
    return encode(dumps(document), event=name)
