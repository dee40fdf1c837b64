"""Installations of a running server: each in a thread of its own, shared by everyone who wants the same."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sandbox_agent_core.api.agents import (
    InstallArtifact,
    InstallProgress,
    InstallRequest,
    InstallResult,
    InstallStatus,
)
from sandbox_agent_core.errors import SandboxAgentError, Unavailable
from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.install.installer import Installed, Installer
from sandbox_agent_server.install.pins import all_pins

__all__ = ["InstallJobs"]

logger = logging.getLogger(__name__)

STOP_GRACE_S: Final = 1.0
"""For an installation to notice that the server stops. Killing it does no harm."""

Listener = Callable[[InstallProgress], None]
FindAgent = Callable[[str], AgentInstallation | None]
"""What a session would run. Blocks. Raises: UnsupportedAgent."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    agent: str
    version: str | None
    reinstall: bool


@dataclass(eq=False, slots=True)
class _Job:
    result: asyncio.Future[Installed]
    listeners: list[Listener] = field(default_factory=list)
    last: InstallProgress | None = None


class InstallJobs:
    """Lives in the event loop. Nobody who leaves stops an installation: another may wait for it."""

    def __init__(self, installer: Installer, find: FindAgent, *, installs_by_itself: bool) -> None:
        self._installer = installer
        self._find = find
        self._installs_by_itself = installs_by_itself
        self._jobs: dict[_Wanted, _Job] = {}
        self._is_closing = threading.Event()

    def installs_by_itself(self, agent: str) -> bool:
        """Whether a session that wants this agent gets it installed."""
        return self._installs_by_itself and agent in all_pins()

    async def fulfil(
        self, agent: str, wanted: InstallRequest, *, on_progress: Listener | None = None
    ) -> InstallResult:
        """As `install`, and what a person should know about it. Raises also: UnsupportedAgent."""
        if agent not in all_pins():
            found = await asyncio.to_thread(self._find, agent)
            if found is not None:
                # Built in, or put there by other means.
                return InstallResult(already_installed=True, version=found.version, path=found.path)
        # Nothing is awaited before the job is under way: who leaves after that does not stop it.
        installed = await self.install(
            agent, version=wanted.version, reinstall=wanted.reinstall, on_progress=on_progress
        )
        version = installed.version
        artifact = InstallArtifact(
            path=str(version.program), source=version.source, version=version.version
        )
        return InstallResult(
            already_installed=installed.already,
            artifacts=[] if installed.already else [artifact],
            version=version.version,
            path=str(version.program),
            note=installed.note(await asyncio.to_thread(self._find, agent)),
        )

    async def install(
        self,
        agent: str,
        *,
        version: str | None = None,
        reinstall: bool = False,
        on_progress: Listener | None = None,
    ) -> Installed:
        """Raises: as `Installer.install`; Unavailable when the server stops."""
        if self._is_closing.is_set():
            raise Unavailable("the server is stopping")
        wanted = _Wanted(agent, version, reinstall)
        job = self._jobs.get(wanted) or self._start(wanted)
        if on_progress is None:
            return await asyncio.shield(job.result)
        if job.last is not None:
            on_progress(job.last)
        job.listeners.append(on_progress)
        try:
            return await asyncio.shield(job.result)
        finally:
            job.listeners.remove(on_progress)

    def status(self, agent: str) -> InstallStatus:
        """Of the installation that sessions wait for, else of another of this agent."""
        running = {wanted: job for wanted, job in self._jobs.items() if wanted.agent == agent}
        job = running.get(_Wanted(agent, None, False)) or next(iter(running.values()), None)
        if job is None:
            return InstallStatus(running=False)
        return InstallStatus(running=True, progress=job.last)

    async def close(self) -> None:
        """End what runs, and tell who waits for it; the directory stays whole."""
        self._is_closing.set()
        results = [job.result for job in self._jobs.values()]
        if not results:
            return
        # npm is a process, which must not outlive the server; a download that hangs may.
        _, unfinished = await asyncio.wait(results, timeout=STOP_GRACE_S)
        for result in unfinished:
            result.set_exception(Unavailable("the server is stopping"))

    def _start(self, wanted: _Wanted) -> _Job:
        loop = asyncio.get_running_loop()
        job = self._jobs[wanted] = _Job(loop.create_future())
        # Else an installation that nobody waits for any more is reported as an error unseen.
        job.result.add_done_callback(lambda done: done.exception())

        def on_progress(progress: InstallProgress) -> None:
            if self._is_closing.is_set():
                raise Unavailable("the server is stopping")
            loop.call_soon_threadsafe(self._tell, job, progress)

        def run() -> None:
            try:
                done: Installed | Exception = self._installer.install(
                    wanted.agent,
                    version=wanted.version,
                    reinstall=wanted.reinstall,
                    on_progress=on_progress,
                )
            except Exception as exc:  # noqa: BLE001 - the root of the thread: it is raised where one waits
                done = exc
            # A closed loop raises: then nobody is left to tell.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._finish, wanted, job, done)

        # Not of the loop's pool, whose threads the end of the process waits for.
        threading.Thread(target=run, name=f"install-{wanted.agent}", daemon=True).start()
        return job

    def _tell(self, job: _Job, progress: InstallProgress) -> None:
        if job.last is None or job.last.step != progress.step:
            logger.info(
                "installing %s %s: %s", progress.agent, progress.version or "", progress.step
            )
        job.last = progress
        for listener in list(job.listeners):
            listener(progress)

    def _finish(self, wanted: _Wanted, job: _Job, done: Installed | Exception) -> None:
        del self._jobs[wanted]
        if job.result.done():
            return  # the server is stopping
        if isinstance(done, Installed):
            job.result.set_result(done)
            return
        if isinstance(done, SandboxAgentError):
            logger.warning("%s could not be installed: %s", wanted.agent, done.message)
        else:
            logger.error("installing %s failed", wanted.agent, exc_info=done)
        job.result.set_exception(done)
