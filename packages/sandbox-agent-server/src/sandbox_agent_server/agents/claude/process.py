"""The process behind one session: its pipe, its MCP configuration on disk, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sandbox_agent_core.spi.agent import AgentContext, AgentExit

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.claude.launch import McpConfigFile, command_line, environment
from sandbox_agent_server.agents.claude.native import Native
from sandbox_agent_server.agents.claude.session_params import SessionParams
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["ClaudeProcess"]


class ClaudeProcess:
    def __init__(
        self,
        context: AgentContext,
        command: Sequence[str],
        params: SessionParams,
        *,
        can_bypass: bool,
    ) -> None:
        self._config = McpConfigFile(params.mcp_servers) if params.mcp_servers else None
        extra = context.options.get("extra_args")
        argv = command_line(
            command,
            params,
            mcp_config=self._config.path if self._config else None,
            can_bypass=can_bypass,
            extra=[str(arg) for arg in extra] if isinstance(extra, (list, tuple)) else (),
        )
        self._link = StdioLink(
            argv,
            cwd=params.cwd,
            env=environment(context.env),
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )

    async def start(self) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._link.start()
        except BaseException:
            self._forget_config()
            raise

    async def write(self, message: Native) -> None:
        await self._link.send(jsonio.dumps(message))

    def lines(self) -> AsyncIterator[list[bytes]]:
        return self._link.lines()

    async def close(self) -> AgentExit:
        try:
            return await self._link.close()
        finally:
            self._forget_config()

    def _forget_config(self) -> None:
        if self._config is not None:
            self._config.remove()
