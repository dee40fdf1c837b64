"""The computer inside a Pod: scripts and files by `exec` in its container."""

from __future__ import annotations

import asyncio
import shlex
from typing import Final

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.provisioning import CommandResult, detached

from sandbox_agent_kubernetes.channels import execute
from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.pods import PODS, Pod

__all__ = ["PodMachine"]

SPAWN_TIMEOUT_S: Final = 30.0
WRITE_TIMEOUT_S: Final = 600.0
"""For a wheelhouse over a slow line."""


class PodMachine:
    """A `Machine`."""

    def __init__(self, cluster: Cluster, pod: Pod) -> None:
        self._cluster = cluster
        self._pod = pod

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        return await self._run(script, timeout_s=timeout_s)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        # It counts what comes, because not every kubelet tells the end of it; and a connection that broke leaves no half.
        file, part = shlex.quote(path), shlex.quote(f"{path}.part")
        size = len(content)
        done = await self._run(
            f"umask 077 && head -c {size} >{part} && [ $(wc -c <{part}) -eq {size} ] && "
            f"chmod {mode:o} {part} && mv -f {part} {file}",
            timeout_s=WRITE_TIMEOUT_S,
            stdin=content,
        )
        if done.exit_code != 0:
            raise ProviderError(
                f"{path} cannot be written in the sandbox: {done.output}",
                provider=PROVIDER,
                sandbox=self._pod.name,
            )

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)

    async def _run(self, script: str, *, timeout_s: float, stdin: bytes = b"") -> CommandResult:
        try:
            async with asyncio.timeout(timeout_s):
                return await execute(
                    self._cluster,
                    PODS.path(self._pod.namespace, self._pod.name, "exec"),
                    ("/bin/sh", "-c", script),
                    container=self._pod.container,
                    sandbox=self._pod.name,
                    stdin=stdin,
                )
        except TimeoutError as exc:
            raise ProviderTimeout(
                f"A script in the sandbox did not end within {timeout_s:g} s.",
                provider=PROVIDER,
                sandbox=self._pod.name,
            ) from exc
