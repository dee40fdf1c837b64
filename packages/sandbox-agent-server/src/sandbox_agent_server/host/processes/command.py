"""What a caller wants to be run, made ready to be started: words, directory, environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox_agent_core.api.processes import ProcessCreateRequest, ProcessRunRequest
from sandbox_agent_core.errors import ProcessStartFailed

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.runtime.environment import build_environment, with_programs
from sandbox_agent_server.runtime.errors import ProcessNotFound as NotFound
from sandbox_agent_server.runtime.errors import ProcessStartFailed as NotStarted
from sandbox_agent_server.runtime.launching import PtySize
from sandbox_agent_server.runtime.marker import PROCESS_MARKER
from sandbox_agent_server.runtime.process import Process
from sandbox_agent_server.settings import Settings

__all__ = ["Command", "Commands"]


@dataclass(frozen=True, slots=True)
class Command:
    argv: list[str]
    cwd: str
    env: Mapping[str, str]

    async def start(self, *, pty: PtySize | None = None) -> Process:
        """Raises: ProcessStartFailed."""
        try:
            return await Process.spawn(self.argv, cwd=self.cwd, env=self.env, pty=pty)
        except NotFound as exc:
            raise ProcessStartFailed(
                f"there is no program {self.argv[0]!r} on the PATH. No shell reads a command: a line for one is "
                'run as `sh` with the arguments `["-c", "…"]`',
                **exc.details,
            ) from exc
        except NotStarted as exc:
            raise ProcessStartFailed(exc.message, **exc.details) from exc


class Commands:
    def __init__(self, settings: Settings, paths: Paths, *, marker: str) -> None:
        """`marker`: of the data directory; all that is started is recognised by it."""
        self._paths = paths
        self._env = with_programs(
            build_environment(os.environ, inherit=settings.inherit_env), settings.agents_bin
        )
        self._marking = {PROCESS_MARKER: marker}

    async def prepare(self, body: ProcessRunRequest | ProcessCreateRequest) -> Command:
        """The caller's variables are on top of the server's own, without its settings: they hold its token.

        Raises:
            InvalidRequest, PathNotFound, NotADirectory, PathForbidden: of the working directory.
        """
        directory = self._paths.root or str(Path.cwd())
        if body.cwd is not None:
            directory = await asyncio.to_thread(self._found, body.cwd)
        is_on_terminal = isinstance(body, ProcessCreateRequest) and body.tty
        terminal = {"TERM": "xterm-256color"} if is_on_terminal else {}
        return Command(
            [body.command, *body.args],
            directory,
            {**self._env, **terminal, **body.env, **self._marking},
        )

    def _found(self, cwd: str) -> str:
        """Blocks."""
        path = self._paths.absolute(cwd, base=str(Path.cwd()), climbs=True)
        with self._paths.directory(path) as descriptor:
            # With a root, where it really is: the links on the way are no part of what was allowed.
            return str(Path(f"/proc/self/fd/{descriptor}").readlink()) if self._paths.root else path
