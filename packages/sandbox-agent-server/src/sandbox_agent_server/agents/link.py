"""The one seam between processes, which know no agent, and the errors and exits that agents have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_core.spi.agent import AgentExit, Confine

from sandbox_agent_server.runtime.errors import ProcessNotFound, ProcessStartFailed
from sandbox_agent_server.runtime.process_link import ProcessExit
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["AgentLink"]


class AgentLink:
    """A `StdioLink` to the process of an agent."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        on_lines: Callable[[list[bytes]], None],
        on_end: Callable[[], None],
        max_line_bytes: int = 32 * 1024 * 1024,
        stop_grace_s: float = 2.0,
        confine: Confine | None = None,
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._link = StdioLink(
            argv,
            cwd=cwd,
            env=env,
            on_lines=on_lines,
            on_end=on_end,
            max_line_bytes=max_line_bytes,
            stop_grace_s=stop_grace_s,
            prepare=confine and functools.partial(_confined, confine),
            on_process=on_process,
        )
        self.send = self._link.send
        self.pause = self._link.pause
        self.resume = self._link.resume

    @property
    def pid(self) -> int | None:
        return self._link.pid

    @property
    def exit(self) -> AgentExit | None:
        ended = self._link.exit
        return _agent_exit(ended) if ended is not None else None

    @property
    def last_words(self) -> str:
        return self._link.last_words

    async def start(self) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._link.start()
        except ProcessNotFound as exc:
            raise AgentNotInstalled(exc.message, **exc.details) from exc
        except ProcessStartFailed as exc:
            raise AgentStartFailed(exc.message, **exc.details) from exc

    async def close(self) -> AgentExit:
        return _agent_exit(await self._link.close())

    async def terminate(self) -> AgentExit:
        return _agent_exit(await self._link.terminate())


def _confined(
    confine: Confine, argv: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> tuple[Sequence[str], Mapping[str, str]]:
    confined = confine(argv, cwd, env)
    return confined.argv, confined.env


def _agent_exit(ended: ProcessExit) -> AgentExit:
    return AgentExit(
        exit_code=ended.exit_code,
        signal=ended.signal,
        stderr_tail=ended.stderr_tail,
        is_out_of_memory=ended.is_out_of_memory,
        memory_limit_bytes=ended.memory_limit_bytes,
    )
