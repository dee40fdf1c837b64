"""An agent that speaks ACP on stdio: its frames are the house's frames, so they pass through."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, FrameReceiver, WireFrame

from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import read_lines
from sandbox_agent_server.agents.link import AgentLink
from sandbox_agent_server.jsonio import dumps

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
        self._receiver: FrameReceiver | None = None
        self._put_in: list[WireFrame] = []
        self._link = AgentLink(
            context.command or command,
            cwd=context.cwd,
            env=context.env,
            on_lines=self._on_lines,
            on_end=self._on_end,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )
        self.pause = self._link.pause
        self.resume = self._link.resume

    async def start(self, receiver: FrameReceiver) -> None:
        self._receiver = receiver
        try:
            await self._link.start()
        except AgentNotInstalled as exc:
            if not self._install_hint:
                raise
            text = f"There is no program {self._program!r}. {self._install_hint}"
            raise AgentNotInstalled(text, **exc.details) from None

    def send(self, frame: Frame) -> None:
        if self._normaliser is not None:
            # They go before the agent's next batch: it reacts to this very frame.
            self._put_in += self._normaliser.outgoing(frame)
            frame = self._normaliser.to_agent(frame)
        self._link.send(dumps(frame))

    @property
    def last_words(self) -> str:
        return self._link.last_words

    async def close(self) -> AgentExit:
        return await self._link.close()

    def _on_lines(self, lines: list[bytes]) -> None:
        batch = read_lines(lines)
        if self._normaliser is not None:
            batch = [*self._take_put_in(), *self._normaliser.incoming(batch)]
        self._push(batch)

    def _on_end(self) -> None:
        self._push(self._take_put_in())
        if self._receiver is not None:
            self._receiver.ended()

    def _take_put_in(self) -> list[WireFrame]:
        put_in, self._put_in = self._put_in, []
        return put_in

    def _push(self, batch: list[WireFrame]) -> None:
        if batch and self._receiver is not None:
            self._receiver.frames(batch)
