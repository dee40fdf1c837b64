"""The process behind one prompt: its private files, its one line of input, its output and its end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.spi.agent import AgentContext, AgentExit

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.amp.launch import command_line, settings_with
from sandbox_agent_server.agents.amp.session_params import SessionParams
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["AmpProcess"]


class AmpProcess:
    def __init__(
        self,
        context: AgentContext,
        command: Sequence[str],
        params: SessionParams,
        *,
        thread: str | None,
        ask_program: Path,
    ) -> None:
        """Raises: InvalidSettings."""
        # In the directory of the socket, which is private and goes with the session.
        directory = ask_program.parent
        settings = settings_with(
            context.env, ask_program=ask_program, system_prompt=params.system_prompt
        )
        servers = params.mcp_servers
        extra = context.options.get("extra_args")
        argv = command_line(
            command,
            thread=thread,
            settings=_write(directory / "settings.json", settings),
            mcp_config=_write(directory / "mcp.json", servers) if servers else None,
            extra=[str(arg) for arg in extra] if isinstance(extra, (list, tuple)) else (),
        )
        self._link = StdioLink(
            argv,
            cwd=params.cwd,
            env=context.env,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )
        self.is_over = False
        """Its turn has ended, or nobody wants its end any more."""

    async def start(self, prompt: str) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        await self._link.start()
        content = [{"type": "text", "text": prompt}]
        message = {"type": "user", "message": {"role": "user", "content": content}}
        await self._link.send(jsonio.dumps(message))

    def lines(self) -> AsyncIterator[list[bytes]]:
        return self._link.lines()

    async def close(self) -> AgentExit:
        """After its turn it ends at the end of its input."""
        self.is_over = True
        return await self._link.close()

    async def terminate(self) -> AgentExit:
        """In the middle of its turn."""
        self.is_over = True
        return await self._link.terminate()


def _write(path: Path, value: Any) -> Path:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
