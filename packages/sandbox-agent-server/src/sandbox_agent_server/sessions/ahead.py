"""An agent that is started and opened before there is a session for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import request
from sandbox_agent_core.spi.agent import AgentAdapter, AgentExit, WireFrame

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.sessions.agent_run import exit_error
from sandbox_agent_server.sessions.launch import Handshake, Opened
from sandbox_agent_server.sessions.turns import error_of_frame

__all__ = ["AgentAhead"]

MAX_EARLY_FRAMES = 1000
"""That are kept of what an agent writes before it has a session."""


class AgentAhead:
    """An `AgentAdapter`: what the agent answered ahead of time is answered again when a session asks.

    The session must be one that would have asked the same: same workspace and environment, no MCP
    servers, no system prompt.
    """

    def __init__(self, adapter: AgentAdapter, *, cwd: Path, client_version: str) -> None:
        self._adapter = adapter
        self._cwd = cwd
        self._client_version = client_version
        self._incoming = adapter.frames()
        self._next: asyncio.Task[list[WireFrame] | None] | None = None
        self._is_taken = False
        self._on_gone: Callable[[], None] = lambda: None
        self._answers: dict[str, Frame] = {}
        self._early: list[WireFrame] = []
        self._outgoing: deque[WireFrame] = deque()
        self._bell = asyncio.Event()

    async def open(self) -> Opened:
        """Start and open it.

        Raises:
            AgentNotInstalled, AgentStartFailed, AgentAuthRequired, AgentError, AgentProcessExited.
        """
        try:
            await self._adapter.start()
            opened = await Handshake(
                self._ask,
                cwd=str(self._cwd),
                mcp_servers=[],
                meta={},
                client_version=self._client_version,
            ).open(None)
        except BaseException:
            await self._adapter.close()
            raise
        return opened

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Until a session takes it: keep what it writes, and tell when it is gone."""
        self._on_gone = on_gone
        self._read_next()

    # AgentAdapter

    async def start(self) -> None:
        """It runs already."""

    async def send(self, frame: Frame) -> None:
        answer = self._answers.pop(frame.get("method", ""), None)
        if answer is None:
            await self._adapter.send(frame)
            return
        repeated = {**answer, "id": frame["id"]}
        self._outgoing.append(WireFrame(dumps(repeated), repeated))
        self._bell.set()

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        while self._answers or self._outgoing:
            if not self._outgoing:
                await self._bell.wait()
            self._bell.clear()
            batch = list(self._outgoing)
            self._outgoing.clear()
            if batch:
                yield batch
        self._is_taken = True
        if self._early:
            yield self._early
        if self._next is not None:
            if (first := await self._next) is None:
                return
            yield first
        async for later in self._incoming:
            yield later

    async def close(self) -> AgentExit:
        self._is_taken = True
        self._answers.clear()
        self._bell.set()
        ended = await self._adapter.close()
        if self._next is not None:
            await asyncio.wait([self._next])
        return ended

    # Opening

    async def _ask(self, method: str, params: dict[str, Any], _logged: Any) -> Any:
        asked = request(f"ahead-{method}", method, params)
        await self._adapter.send(asked)
        while (batch := await self._read()) is not None:
            for position, wire in enumerate(batch):
                frame = wire.frame
                if frame.get("id") != asked["id"] or "method" in frame:
                    self._early.append(wire)
                    continue
                self._early += batch[position + 1 :]
                if "error" in frame:
                    raise error_of_frame(frame)
                self._answers[method] = frame
                return frame.get("result")
        raise exit_error(await self._adapter.close())

    # Watching

    def _read_next(self) -> None:
        self._next = asyncio.get_running_loop().create_task(self._read())
        self._next.add_done_callback(self._keep)

    def _keep(self, task: asyncio.Task[list[WireFrame] | None]) -> None:
        if self._is_taken or task.cancelled():
            return
        batch = None if task.exception() is not None else task.result()
        if batch is None:
            self._on_gone()
            return
        self._early += batch
        # One that talks without being asked is held back through its pipe.
        if len(self._early) < MAX_EARLY_FRAMES:
            self._read_next()
        else:
            self._next = None

    async def _read(self) -> list[WireFrame] | None:
        """The next batch; None when the agent is gone."""
        return await anext(self._incoming, None)
