"""The computer in a Cloudflare sandbox. The bridge writes files in the workspace only; they are moved from there."""

from __future__ import annotations

import secrets
import shlex

from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.provisioning import CommandResult, detached
from sandbox_agent_core.provisioning.calls import within

from sandbox_agent_cloudflare.bridge import Bridge
from sandbox_agent_cloudflare.errors import PROVIDER

__all__ = ["CloudflareMachine"]

SPAWN_TIMEOUT_S = 60.0
MOST_BYTES = 16 * 1024 * 1024
"""In one upload; the bridge takes twice that."""
UPLOAD_NAME = ".sandbox-agent-upload"


class CloudflareMachine:
    """A `Machine`."""

    def __init__(self, bridge: Bridge, sandbox: str) -> None:
        self._bridge = bridge
        self._sandbox = sandbox

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        running = self._bridge.execute(self._sandbox, ["sh", "-c", script], timeout_s=timeout_s)
        return await within(timeout_s, running, provider=PROVIDER, sandbox=self._sandbox)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        upload = f"{UPLOAD_NAME}-{secrets.token_hex(8)}"
        sizes = range(0, max(1, len(content)), MOST_BYTES)
        names = [f"{upload}-{number}" for number in range(len(sizes))]
        parts = " ".join(names)
        # The modes first: what is uploaded may be a secret, and the workspace is everybody's.
        script = f"umask 077; for part in {parts}; do : >$part && chmod 600 $part || exit 1; done"
        await self._expect(script, path)
        for name, start in zip(names, sizes, strict=True):
            part = content[start : start + MOST_BYTES]
            await self._bridge.write(self._sandbox, name, part)
        target = shlex.quote(path)
        await self._expect(
            f"umask 077; cat {parts} >{upload} && chmod {mode:o} {upload} && mv -f {upload} {target}; "
            f"status=$?; rm -f {parts} {upload}; exit $status",
            path,
        )

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)

    async def _expect(self, script: str, path: str) -> None:
        done = await self.run(script, timeout_s=SPAWN_TIMEOUT_S)
        if done.exit_code != 0:
            raise ProviderError(
                f"{path} cannot be written: {done.output}", provider=PROVIDER, sandbox=self._sandbox
            )
