"""The mock agent in the server's own process: nothing to install, to start or to leave behind."""

from __future__ import annotations

import asyncio

from sandbox_agent_core.agent_options import MockOptions
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, FrameReceiver, WireFrame

from sandbox_agent_server.agents.acp.reading import read_lines, wire
from sandbox_agent_server.agents.mock.agent import MockAgent
from sandbox_agent_server.agents.mock.outbox import Written
from sandbox_agent_server.agents.mock.turn import Crashed

__all__ = ["MockAdapter"]


class MockAdapter:
    def __init__(self, context: AgentContext) -> None:
        self._agent = MockAgent(on_crash=self._on_crash, options=context.options_as(MockOptions))
        self._exit: AgentExit | None = None
        self._pipe: asyncio.Task[None] | None = None
        self._is_closing = False
        self._flows = asyncio.Event()
        self._flows.set()

    async def start(self, receiver: FrameReceiver) -> None:
        """There is nothing to launch."""
        self._pipe = asyncio.create_task(self._push_to(receiver), name="mock-pipe")

    def send(self, frame: Frame) -> None:
        if self._exit is None:
            self._agent.receive(frame)

    def pause(self) -> None:
        if not self._is_closing:
            self._flows.clear()

    def resume(self) -> None:
        self._flows.set()

    async def close(self) -> AgentExit:
        if self._exit is None:
            self._exit = AgentExit(exit_code=0)
        # What is on its way is delivered, paused or not.
        self._is_closing = True
        self._flows.set()
        await self._agent.close()
        if self._pipe is not None:
            await asyncio.wait([self._pipe])
        return self._exit

    async def _push_to(self, receiver: FrameReceiver) -> None:
        """As a pipe does: while it is paused the agent waits for room."""
        try:
            async for batch in self._agent.outbox.batches():
                await self._flows.wait()
                if frames := _read(batch):
                    receiver.frames(frames)
        finally:
            receiver.ended()

    def _on_crash(self, crash: Crashed) -> None:
        self._exit = AgentExit(exit_code=crash.exit_code, stderr_tail=crash.stderr.rstrip())


def _read(batch: list[Written]) -> list[WireFrame]:
    frames: list[WireFrame] = []
    for written in batch:
        if isinstance(written, bytes):
            frames.extend(read_lines([written]))
        else:
            frames.append(wire(written))
    return frames
