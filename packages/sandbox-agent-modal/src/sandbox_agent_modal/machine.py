"""The computer in a Modal sandbox: scripts and files through its exec."""

from __future__ import annotations

import asyncio
import math
import shlex
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.provisioning import CommandResult, detached
from sandbox_agent_core.provisioning.calls import within

from sandbox_agent_modal.errors import PROVIDER, modal_errors

if TYPE_CHECKING:
    from modal import Sandbox

__all__ = ["ModalMachine"]

SPAWN_TIMEOUT_S = 30.0
WRITE_TIMEOUT_S = 300.0
CHUNK_BYTES = 1024 * 1024
"""Of a file at a time; Modal takes 16 MiB."""


class ModalMachine:
    """A `Machine`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        # Nobody writes to its standard input, which stays open otherwise.
        return await self._run(f"exec </dev/null\n{script}", None, timeout_s=timeout_s)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        # Not the SDK's file API: that has no modes, and what is written may be a secret.
        target = shlex.quote(path)
        script = (
            f"umask 077; cat >{target}.part && chmod {mode:o} {target}.part && mv -f {target}.part {target} "
            f"|| {{ rm -f {target}.part; exit 1; }}"
        )
        done = await self._run(script, content, timeout_s=WRITE_TIMEOUT_S)
        if done.exit_code != 0:
            raise ProviderError(f"{path} cannot be written: {done.output}", provider=PROVIDER)

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)

    async def _run(self, script: str, content: bytes | None, *, timeout_s: float) -> CommandResult:
        return await within(
            timeout_s,
            self._execute(script, content, math.ceil(timeout_s)),
            provider=PROVIDER,
            sandbox=self._sandbox.object_id,
        )

    async def _execute(self, script: str, content: bytes | None, timeout_s: int) -> CommandResult:
        with modal_errors(sandbox=self._sandbox.object_id):
            process = await self._sandbox.exec.aio(
                "sh", "-c", script, timeout=timeout_s, text=False
            )
            if content is not None:
                await _feed(process.stdin, content)
            out, err = await asyncio.gather(process.stdout.read.aio(), process.stderr.read.aio())
            code = await process.wait.aio()
        return CommandResult(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


async def _feed(stdin: Any, content: bytes) -> None:
    for start in range(0, len(content), CHUNK_BYTES):
        stdin.write(content[start : start + CHUNK_BYTES])
        await stdin.drain.aio()
    stdin.write_eof()
    await stdin.drain.aio()
