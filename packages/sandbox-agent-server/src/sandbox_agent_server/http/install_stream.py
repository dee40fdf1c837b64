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
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.http.sse import HEADERS, until_disconnected
from sandbox_agent_server.http.streams import StreamCounter
from sandbox_agent_server.jsonio import dumps

__all__ = ["InstallStream"]


class Install(Protocol):
    def __call__(
        self, *, on_progress: Callable[[InstallProgress], None]
    ) -> Awaitable[InstallResult]: ...


class InstallStream:
    """An ASGI response. A slow reader misses bytes of the progress, never a step or the end."""

    def __init__(self, install: Install, counter: StreamCounter, *, heartbeat_s: float) -> None:
        self._install = install
        self._counter = counter
        self._heartbeat_s = heartbeat_s
        self._due: dict[str, InstallProgress] = {}
        """The latest of each step."""
        self._changed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counter.hold():
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            pump = asyncio.ensure_future(self._pump(send))
            watch = asyncio.ensure_future(until_disconnected(receive))
            try:
                await asyncio.wait({pump, watch}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (pump, watch):
                    task.cancel()
                results = await asyncio.gather(pump, watch, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _pump(self, send: Send) -> None:
        install = asyncio.ensure_future(self._install(on_progress=self._note))
        install.add_done_callback(lambda _done: self._changed.set())
        try:
            while not install.done():
                await self._wait()
                news = self._take_due()
                if news or not install.done():
                    await _send(send, news or comment("heartbeat"))
            await _send(send, self._take_due() + _ending(install), more=False)
        finally:
            install.cancel()

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


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
