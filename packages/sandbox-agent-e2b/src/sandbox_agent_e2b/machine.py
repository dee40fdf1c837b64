"""The computer in an E2B sandbox: scripts through its process API, files through its file API."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.provisioning import CommandResult, detached

from sandbox_agent_e2b.errors import PROVIDER, e2b_errors

if TYPE_CHECKING:
    from e2b import AsyncSandbox

__all__ = ["E2BMachine"]

SPAWN_TIMEOUT_S = 30.0


class E2BMachine:
    """A `Machine`."""

    def __init__(self, sandbox: AsyncSandbox) -> None:
        self._sandbox = sandbox

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        import e2b  # noqa: PLC0415 - the SDK is imported on first use

        # E2B itself runs commands in a login bash; what it reads on the way is the template's.
        command = f"exec /bin/sh -c {shlex.quote(script)}"
        with e2b_errors(sandbox=self._sandbox.sandbox_id):
            try:
                done = await self._sandbox.commands.run(command, timeout=timeout_s)
            except e2b.CommandExitException as exc:
                return CommandResult(exc.exit_code, exc.stdout, exc.stderr)
            except e2b.SandboxUnreachableException:
                raise
            except e2b.SandboxNotRunningException:
                raise
            except e2b.TimeoutException as exc:
                raise ProviderTimeout(
                    f"A command in the sandbox did not end within {timeout_s:g} s.",
                    provider=PROVIDER,
                ) from exc
        return CommandResult(done.exit_code, done.stdout, done.stderr)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        with e2b_errors(sandbox=self._sandbox.sandbox_id):
            await self._sandbox.files.write(path, content)
        done = await self.run(f"chmod {mode:o} {shlex.quote(path)}", timeout_s=SPAWN_TIMEOUT_S)
        if done.exit_code != 0:
            raise ProviderError(f"{path} cannot be written: {done.output}", provider=PROVIDER)

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)
