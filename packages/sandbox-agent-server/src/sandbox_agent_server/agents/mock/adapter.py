"""The mock agent in the server's own process: nothing to install, to start or to leave behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server.agents.acp.reading import read_lines, wire
from sandbox_agent_server.agents.mock.agent import MockAgent
from sandbox_agent_server.agents.mock.outbox import Written
from sandbox_agent_server.agents.mock.turn import Crashed

__all__ = ["MockAdapter"]


class MockAdapter:
    def __init__(self, _context: AgentContext) -> None:
        self._agent = MockAgent(on_crash=self._on_crash)
        self._exit: AgentExit | None = None

    async def start(self) -> None:
        """There is nothing to launch."""

    async def send(self, frame: Frame) -> None:
        if self._exit is None:
            self._agent.receive(frame)

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        async for batch in self._agent.outbox.batches():
            if frames := _read(batch):
                yield frames

    async def close(self) -> AgentExit:
        if self._exit is None:
            self._exit = AgentExit(exit_code=0)
        await self._agent.close()
        return self._exit

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
