"""The server program behind one session: started, found on its port, and stopped."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import AgentContext, AgentExit

from sandbox_agent_server.agents.link import AgentLink
from sandbox_agent_server.agents.opencode.launch import USER, command_line, environment
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.runtime.http_peer import HttpPeer

__all__ = ["START_TIMEOUT_S", "OpenCodeProcess"]

START_TIMEOUT_S: Final = 60.0
"""Until it says where it listens. The option `start_timeout_s` of the agent changes it."""
_LISTENING: Final = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
_PASSWORD_BYTES: Final = 24


class OpenCodeProcess:
    def __init__(
        self,
        context: AgentContext,
        variant: Variant,
        command: Sequence[str],
        on_end: Callable[[], None],
    ) -> None:
        self._variant = variant
        self._password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._on_end = on_end
        self._url = ""
        given = context.options.get("start_timeout_s")
        self._timeout_s = float(given) if isinstance(given, (int, float)) else START_TIMEOUT_S
        self._link = AgentLink(
            command_line(command),
            cwd=context.cwd,
            env=environment(variant, context.env, password=self._password),
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_lines=self._on_lines,
            on_end=self._on_stdout_end,
            on_process=context.on_process,
        )
        self._found: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def peer(self, directory: Path) -> HttpPeer:
        """Its API, for a workspace."""
        query = {"directory": str(directory)}
        return HttpPeer(self._url, user=USER, password=self._password, query=query)

    async def start(self) -> None:
        """Returns when it listens. Raises: AgentNotInstalled, AgentStartFailed."""
        await self._link.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                url = await self._found
        except TimeoutError:
            raise await self._failed(f"it did not listen within {self._timeout_s:g} s") from None
        if url is None:
            raise await self._failed("it ended at once")
        self._url = url

    async def close(self) -> AgentExit:
        # It does not watch its standard input.
        return await self._link.terminate()

    def _on_lines(self, lines: list[bytes]) -> None:
        """What it prints after that is of no use, but must not fill its pipe."""
        for line in lines:
            if not self._found.done() and (match := _LISTENING.search(line)):
                self._found.set_result(match.group(1).decode("ascii"))

    def _on_stdout_end(self) -> None:
        if not self._found.done():
            self._found.set_result(None)
        self._on_end()

    async def _failed(self, how: str) -> AgentStartFailed:
        ended = await self._link.terminate()
        tail = ended.stderr_tail.strip()
        last = f": {tail.splitlines()[-1]}" if tail else ""
        return AgentStartFailed(
            f"{self._variant.title} could not be started: {how}{last}",
            exitCode=ended.exit_code,
            signal=ended.signal,
            stderrTail=tail or None,
        )
