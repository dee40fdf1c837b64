"""The computer in a Vercel sandbox: scripts through its process API, files through its file API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sandbox_agent_core.provisioning import CommandResult, detached
from sandbox_agent_core.provisioning.calls import within

from sandbox_agent_vercel.api import call
from sandbox_agent_vercel.errors import PROVIDER

if TYPE_CHECKING:
    from vercel.sandbox import SandboxRuntimeSession

__all__ = ["VercelMachine"]

SPAWN_TIMEOUT_S = 30.0


class VercelMachine:
    """A `Machine`. It is one session of the sandbox: the sandbox itself would be resumed by each call."""

    def __init__(self, sandbox: str, session: SandboxRuntimeSession) -> None:
        self._sandbox = sandbox
        self._session = session

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        return await within(
            timeout_s, self._run(script, timeout_s), provider=PROVIDER, sandbox=self._sandbox
        )

    async def _run(self, script: str, timeout_s: float) -> CommandResult:
        done = await call(
            lambda: self._session.run_process(
                "sh", ["-c", script], capture_output=True, kill_after=math.ceil(timeout_s)
            ),
            sandbox=self._sandbox,
        )
        return CommandResult(done.returncode, done.stdout or "", done.stderr or "")

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        await call(
            lambda: self._session.fs.write_bytes(path, content, mode=mode), sandbox=self._sandbox
        )

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)
