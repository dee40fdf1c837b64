"""An agent that speaks ACP on stdio: its frames are the house's frames, so they pass through."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, FrameReceiver, WireFrame

from sandbox_agent_server.agents.acp.launch import Launch, Prepare
from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import read_lines, wire
from sandbox_agent_server.agents.acp.verbs import Verb, Verbs
from sandbox_agent_server.agents.link import AgentLink
from sandbox_agent_server.jsonio import dumps

__all__ = ["AcpAdapter"]


class AcpAdapter:
    """An `AgentAdapter` over a subprocess.

    `command` is what runs unless the configuration says otherwise, with what `prepare` adds to it. `verbs` are by
    method, and `capabilities` what is announced of them (`spi.capabilities`).
    """

    def __init__(
        self,
        context: AgentContext,
        command: Sequence[str],
        *,
        prepare: Prepare = lambda _context: Launch(),
        normaliser: Normaliser | None = None,
        verbs: Mapping[str, Verb] | None = None,
        capabilities: Mapping[str, Any] | None = None,
        install_hint: str = "",
    ) -> None:
        self._normaliser = normaliser
        if normaliser is not None:
            normaliser.attach(send=self._say, tell=self._tell)
        self._verbs = Verbs(verbs or {}, capabilities or {}, send=self._pass, tell=self._tell)
        self._install_hint = install_hint
        self._context = context
        self._command = context.command or command
        self._prepare = prepare
        self._launch = Launch()
        self._receiver: FrameReceiver | None = None
        self._put_in: list[WireFrame] = []
        self._link: AgentLink | None = None

    async def start(self, receiver: FrameReceiver) -> None:
        self._receiver = receiver
        context = self._context
        launch = self._launch = self._prepare(context)
        link = self._link = AgentLink(
            [*self._command, *launch.arguments],
            cwd=context.cwd,
            env={**context.env, **launch.env},
            on_lines=self._on_lines,
            on_end=self._on_end,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            confine=context.confine,
            on_process=context.on_process,
        )
        try:
            await link.start()
        except BaseException as exc:
            self._remove_files()
            if not isinstance(exc, AgentNotInstalled) or not self._install_hint:
                raise
            text = f"There is no program {self._command[0]!r}. {self._install_hint}"
            raise AgentNotInstalled(text, **exc.details) from None

    def pause(self) -> None:
        if self._link is not None:
            self._link.pause()

    def resume(self) -> None:
        if self._link is not None:
            self._link.resume()

    def send(self, frame: Frame) -> None:
        if (told := self._verbs.to_agent(frame)) is not None:
            self._pass(told)

    def _pass(self, frame: Frame) -> None:
        told: Frame | None = frame
        if self._normaliser is not None:
            # They go before the agent's next batch: it reacts to this very frame.
            self._put_in += self._normaliser.outgoing(frame)
            told = self._normaliser.to_agent(frame)
        if told is not None:
            self._say(told)
        if self._put_in:
            # Nothing of the agent's may come before that is answered.
            asyncio.get_running_loop().call_soon(self._push_put_in)

    def _say(self, frame: Frame) -> None:
        if self._link is not None:
            self._link.send(dumps(self._launch.to_agent(frame)))
        if frame.get("method") == acp.SESSION_PROMPT:
            self._launch = dataclasses.replace(self._launch, preface=None)

    @property
    def last_words(self) -> str:
        return "" if self._link is None else self._link.last_words

    async def close(self) -> AgentExit:
        if self._link is None:
            return AgentExit()
        try:
            return await self._link.close()
        finally:
            self._remove_files()

    def _on_lines(self, lines: list[bytes]) -> None:
        batch = read_lines(lines)
        if self._normaliser is not None:
            batch = [*self._take_put_in(), *self._normaliser.incoming(batch)]
        self._push(self._verbs.incoming(batch))

    def _tell(self, frame: Frame) -> None:
        # Whoever sends is in the middle of a step, and takes nothing before that is over.
        asyncio.get_running_loop().call_soon(self._push, [wire(frame)])

    def _on_end(self) -> None:
        self._remove_files()
        self._push(self._take_put_in())
        if self._receiver is not None:
            self._receiver.ended()

    def _remove_files(self) -> None:
        for file in self._launch.files:
            file.remove()

    def _push_put_in(self) -> None:
        self._push(self._take_put_in())

    def _take_put_in(self) -> list[WireFrame]:
        put_in, self._put_in = self._put_in, []
        return put_in

    def _push(self, batch: list[WireFrame]) -> None:
        if batch and self._receiver is not None:
            self._receiver.frames(batch)
