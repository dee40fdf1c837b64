"""An installation as server-sent events: `progress` any number of times, then `completed` or `error`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import BaseModel
from sandbox_agent_core.api.agents import InstallProgress, InstallResult
from sandbox_agent_core.errors import InternalError, SandboxAgentError
from sandbox_agent_core.wire.problem import to_problem
from sandbox_agent_core.wire.sse import comment, encode

from sandbox_agent_server.http.stream import SendBody, SseResponse, StreamCounter
from sandbox_agent_server.jsonio import dumps

__all__ = ["install_stream"]


class Install(Protocol):
    def __call__(
        self, *, on_progress: Callable[[InstallProgress], None]
    ) -> Awaitable[InstallResult]: ...


def install_stream(install: Install, counter: StreamCounter, *, heartbeat_s: float) -> SseResponse:
    """A slow reader misses bytes of the progress, never a step or the end."""
    return SseResponse(lambda send, _drain: _Progress(heartbeat_s).pump(install, send), counter)


class _Progress:
    def __init__(self, heartbeat_s: float) -> None:
        self._heartbeat_s = heartbeat_s
        self._due: dict[str, InstallProgress] = {}
        """The latest of each step."""
        self._changed = asyncio.Event()

    async def pump(self, install: Install, send: SendBody) -> None:
        task = asyncio.ensure_future(install(on_progress=self._note))
        task.add_done_callback(lambda _done: self._changed.set())
        try:
            while not task.done():
                await self._wait()
                news = self._take_due()
                if news or not task.done():
                    await send(news or comment("heartbeat"))
            await send(self._take_due() + _ending(task))
        finally:
            task.cancel()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def _note(self, progress: InstallProgress) -> None:
        self._due[progress.step] = progress
        self._changed.set()

    def _take_due(self) -> bytes:
        events = [_event("progress", progress) for progress in self._due.values()]
        self._due.clear()
        return b"".join(events)


def _ending(install: asyncio.Future[InstallResult]) -> bytes:
    error = install.exception()
    if error is None:
        return _event("completed", install.result())
    if not isinstance(error, SandboxAgentError):
        error = InternalError("the installation failed; the log of the server says why")
    return encode(dumps(to_problem(error)), event="error")


def _event(name: str, body: BaseModel) -> bytes:
    document = body.model_dump(by_alias=True, exclude_none=True, mode="json")
    return encode(dumps(document), event=name)
