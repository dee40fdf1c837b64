"""An agent that speaks ACP on stdio: its frames are the house's frames, so they pass through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server.agents.acp.reading import read_lines
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["AcpAdapter"]


class AcpAdapter:
    """An `AgentAdapter` over a subprocess. `command` is what runs unless the configuration says otherwise."""

    def __init__(self, context: AgentContext, command: Sequence[str]) -> None:
        self._link = StdioLink(
            context.command or command,
            cwd=context.cwd,
            env=context.env,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )

    async def start(self) -> None:
        await self._link.start()

    async def send(self, frame: Frame) -> None:
        await self._link.send(dumps(frame))

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        async for lines in self._link.lines():
            if batch := read_lines(lines):
                yield batch

    async def close(self) -> AgentExit:
        return await self._link.close()
