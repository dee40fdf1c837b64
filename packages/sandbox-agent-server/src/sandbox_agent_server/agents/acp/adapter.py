"""An agent that speaks ACP on stdio: its frames are the house's frames, so they pass through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import read_lines
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["AcpAdapter"]


class AcpAdapter:
    """An `AgentAdapter` over a subprocess. `command` is what runs unless the configuration says otherwise."""

    def __init__(
        self,
        context: AgentContext,
        command: Sequence[str],
        *,
        normaliser: Normaliser | None = None,
        install_hint: str = "",
    ) -> None:
        self._normaliser = normaliser
        self._install_hint = install_hint
        self._program = (context.command or command)[0]
        self._put_in: list[WireFrame] = []
        self._link = StdioLink(
            context.command or command,
            cwd=context.cwd,
            env=context.env,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )

    async def start(self) -> None:
        try:
            await self._link.start()
        except AgentNotInstalled as exc:
            if not self._install_hint:
                raise
            text = f"There is no program {self._program!r}. {self._install_hint}"
            raise AgentNotInstalled(text, **exc.details) from None

    async def send(self, frame: Frame) -> None:
        if self._normaliser is not None:
            # They go before the agent's next batch: it reacts to this very frame.
            self._put_in += self._normaliser.outgoing(frame)
            frame = self._normaliser.to_agent(frame)
        await self._link.send(dumps(frame))

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        async for lines in self._link.lines():
            batch = read_lines(lines)
            if self._normaliser is not None:
                put_in, self._put_in = self._put_in, []
                batch = [*put_in, *self._normaliser.incoming(batch)]
            if batch:
                yield batch

    async def close(self) -> AgentExit:
        return await self._link.close()
