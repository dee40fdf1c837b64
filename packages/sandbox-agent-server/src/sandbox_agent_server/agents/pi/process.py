"""The process behind one session: its pipe, its system prompt on disk, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sandbox_agent_core.spi.agent import AgentContext, AgentExit

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.pi.launch import (
    PromptFile,
    command_line,
    environment,
    session_argument,
)
from sandbox_agent_server.agents.pi.native import Native
from sandbox_agent_server.agents.pi.session_params import SessionParams
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["PiProcess"]


class PiProcess:
    def __init__(
        self, context: AgentContext, command: Sequence[str], params: SessionParams
    ) -> None:
        env = environment(context.env)
        self._prompt = PromptFile(params.system_prompt) if params.system_prompt else None
        resumed = params.resumed_id
        extra = context.options.get("extra_args")
        argv = command_line(
            command,
            session=session_argument(resumed, env) if resumed is not None else None,
            system_prompt=self._prompt.path if self._prompt else None,
            extra=[str(arg) for arg in extra] if isinstance(extra, (list, tuple)) else (),
        )
        self._link = StdioLink(
            argv,
            cwd=params.cwd,
            env=env,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )

    async def start(self) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._link.start()
        except BaseException:
            self._forget_prompt()
            raise

    async def write(self, message: Native) -> None:
        await self._link.send(jsonio.dumps(message))

    def lines(self) -> AsyncIterator[list[bytes]]:
        return self._link.lines()

    async def close(self) -> AgentExit:
        try:
            return await self._link.close()
        finally:
            self._forget_prompt()

    def _forget_prompt(self) -> None:
        if self._prompt is not None:
            self._prompt.remove()
