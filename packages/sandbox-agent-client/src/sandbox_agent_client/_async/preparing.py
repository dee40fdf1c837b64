"""A workspace put into a sandbox that has just been made, by the sandbox's own API: the same for every provider."""

from __future__ import annotations

import logging
import posixpath
import time
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.git import GitCloneProgress
from sandbox_agent_core.errors import SandboxAgentError, WorkspaceSetupFailed

from sandbox_agent_client._async.files import Files
from sandbox_agent_client._async.git import Git
from sandbox_agent_client._async.processes import Processes
from sandbox_agent_client._commands import OutputChunk
from sandbox_agent_client.workspace import FileContent, SetupCommand, Workspace

__all__ = ["Preparation"]

logger = logging.getLogger(__name__)

LAST_OUTPUT_CHARS = 4000
LONG_PHASES = frozenset({"receiving", "resolving", "checking_out", "filtering", "submodule"})
"""Of a clone; the others are over before anybody has read of them."""


class Preparation:
    def __init__(
        self,
        workspace: Workspace,
        *,
        fs: Files,
        git: Git,
        processes: Processes,
        report: Callable[[str], Any] | None,
        began_at: float,
    ) -> None:
        """`report` is told lines, with the seconds since `began_at` (of the monotonic clock)."""
        self._workspace = workspace
        self._fs = fs
        self._git = git
        self._processes = processes
        self._report = report
        self._began_at = began_at
        self._told = ""
        self._cloned: str | None = None

    async def run(self) -> str:
        """The directory that all of it is in, absolute.

        Raises:
            GitAuthRequired, GitFailed, PathExists: the repository could not be cloned.
            WorkspaceSetupFailed: a command failed. And what writing files raises.
        """
        root = await self._root()
        for path, content in self._workspace.files.items():
            await self._write(posixpath.join(root, path), content)
        for command in self._workspace.setup:
            await self._set_up(command, root)
        return root

    async def undo(self) -> None:
        """Remove the clone of a preparation that failed, where the sandbox's files outlive it."""
        if self._cloned is not None:
            try:
                await self._fs.remove(self._cloned, recursive=True)
            except SandboxAgentError as exc:
                logger.warning("%s is left behind: %s", self._cloned, exc.message)

    async def _root(self) -> str:
        wanted = self._workspace
        if wanted.repo is not None:
            self._say(f"cloning {_shown(wanted.repo)}")
            done = await self._git.clone(
                wanted.repo,
                wanted.path,
                ref=wanted.ref,
                depth=wanted.depth,
                submodules=wanted.submodules,
                credentials=wanted.credentials,
                on_progress=self._on_clone,
            )
            self._cloned = done.path
            return done.path
        root = fspath(wanted.path) if wanted.path is not None else ""
        if not root.startswith("/"):
            here = (await self._processes.run(["pwd"])).check().stdout.rstrip("\n")
            root = posixpath.join(here, root)
        root = root.rstrip("/") or "/"
        await self._fs.mkdir(root)
        return root

    async def _write(self, path: str, content: FileContent) -> None:
        self._say(f"writing {path}")
        if isinstance(content, PathLike):
            await self._fs.upload(Path(content), path)
        else:
            data = content.encode() if isinstance(content, str) else content
            await self._fs.write(path, data)

    async def _set_up(self, command: SetupCommand, root: str) -> None:
        shown = command if isinstance(command, str) else " ".join(command)
        self._say(f"running {shown}")
        tail = ""

        def keep(chunk: OutputChunk) -> None:
            nonlocal tail
            tail = (tail + chunk.text)[-LAST_OUTPUT_CHARS:]

        done = await self._processes.run(
            command,
            cwd=root,
            env=self._workspace.env,
            timeout=self._workspace.setup_timeout,
            on_output=keep,
        )
        if not done.ok:
            how = "took too long" if done.timed_out else f"exited with {done.exit_code}"
            raise WorkspaceSetupFailed(
                f"the workspace could not be set up: `{shown}` {how}. Its last output:\n{tail.strip()}",
                command=shown,
                exitCode=done.exit_code,
                output=tail,
            )

    def _on_clone(self, progress: GitCloneProgress) -> None:
        # Each phase once: lines are for people.
        if progress.phase in LONG_PHASES and progress.phase != self._told:
            self._told = progress.phase
            self._say(f"cloning: {progress.phase.replace('_', ' ')}")

    def _say(self, line: str) -> None:
        logger.info("%s", line)
        if self._report is not None:
            self._report(f"[{time.monotonic() - self._began_at:.1f} s] {line}")


def _shown(repo: str) -> str:
    """Without credentials."""
    scheme, has_scheme, rest = repo.partition("://")
    if not has_scheme:
        return repo
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
