"""A machine that is a directory of this computer: provisioning for real, without a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.provisioning import CommandResult, ServerLayout, detached

__all__ = ["DirectoryMachine"]

SPAWN_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class DirectoryMachine:
    """`home` is made; scripts see `env` and nothing of the caller's environment."""

    def __init__(
        self, home: Path, *, path: str = "/usr/bin:/bin", env: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.env = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", **(env or {})}
        home.mkdir(parents=True, exist_ok=True)

    @property
    def layout(self) -> ServerLayout:
        return ServerLayout(str(self.home))

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", script),
            cwd=self.home,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
        except BaseException as exc:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if isinstance(exc, TimeoutError):
                raise ProviderTimeout(f"A script did not end within {timeout_s:g} s.") from exc
            raise
        assert process.returncode is not None
        return CommandResult(
            process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
        )

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
                os.fchmod(f.fileno(), mode)
                f.write(content)
        except OSError as exc:
            raise ProviderError(f"{path} cannot be written: {exc.strerror}") from exc

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)

    async def stop_server(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server that was provisioned here, when one runs, and wait until it is gone."""
        script = (
            f"pid=$(cat '{self.layout.pid}' 2>/dev/null) || exit 0\n"
            f"kill -{int(number)} $pid 2>/dev/null || exit 0\n"
            "while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done"
        )
        await self.run(script, timeout_s=STOP_TIMEOUT_S)

    async def end(self) -> None:
        """Kill all that runs here, as the end of a real sandbox does. Linux alone can tell what that is."""
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while pids := _pids_with(f"HOME={self.home}"):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.005)


def _pids_with(variable: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        # One that has ended, or is another user's, cannot be read.
        with contextlib.suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found
