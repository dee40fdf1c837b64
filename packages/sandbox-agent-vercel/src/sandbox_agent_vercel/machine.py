"""The computer in a Vercel sandbox: scripts through its process API, files through its file API."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import ProviderTimeout
from sandbox_agent_core.provisioning import CommandResult, detached

from sandbox_agent_vercel.api import call
from sandbox_agent_vercel.errors import PROVIDER

if TYPE_CHECKING:
    from vercel.sandbox import SandboxRuntimeSession

__all__ = ["VercelMachine"]

SPAWN_TIMEOUT_S = 30.0
KILL_GRACE_S = 5.0
"""For Vercel to end a process that takes too long, before we stop listening to it."""


class VercelMachine:
    """A `Machine`. It is one session of the sandbox: the sandbox itself would be resumed by each call."""

    def __init__(self, sandbox: str, session: SandboxRuntimeSession) -> None:
        self._sandbox = sandbox
        self._session = session

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout_s + KILL_GRACE_S):
                done = await call(
                    lambda: self._session.run_process(
                        "sh",
                        ["-c", script],
                        capture_output=True,
                        kill_after=math.ceil(timeout_s),
                    ),
                    sandbox=self._sandbox,
                )
        except TimeoutError as exc:
            raise self._too_slow(timeout_s) from exc
        if done.returncode != 0 and asyncio.get_running_loop().time() - started >= timeout_s:
            raise self._too_slow(timeout_s)
        return CommandResult(done.returncode, done.stdout or "", done.stderr or "")

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        await call(
            lambda: self._session.fs.write_bytes(path, content, mode=mode), sandbox=self._sandbox
        )

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)

    def _too_slow(self, timeout_s: float) -> ProviderTimeout:
        return ProviderTimeout(
            f"A command in the sandbox did not end within {timeout_s:g} s.",
            provider=PROVIDER,
            sandbox=self._sandbox,
        )
