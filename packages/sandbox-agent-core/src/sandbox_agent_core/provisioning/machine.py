"""The computer inside a sandbox, as little of it as putting a server there takes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Protocol

from sandbox_agent_core.errors import ServerStartFailed
from sandbox_agent_core.provisioning import scripts

__all__ = [
    "CommandResult",
    "Machine",
    "detached",
    "find_home",
    "free_port",
    "read_file",
    "read_memory_mb",
]

QUICK_TIMEOUT_S = 60.0
"""For a script that only looks or moves files; looking starts a Python or two."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    exit_code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def output(self) -> str:
        """Both streams, for an error's message."""
        return "\n".join(part.strip() for part in (self.stdout, self.stderr) if part.strip())


class Machine(Protocol):
    """Scripts are for POSIX `sh`, so a machine runs them as `sh -c SCRIPT`. They never hold a secret:
    what is secret is written to files."""

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        """Run to the end. A script that fails is a result, not an error.

        Raises:
            ProviderTimeout: it did not end within `timeout_s`; it is not waited for any more.
            SandboxNotFound: the machine is gone.
            ProviderError: the script could not be run at all.
        """
        ...

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write a file in a directory that exists, with this mode, over what is there.

        Raises:
            ProviderError: it could not be written.
        """
        ...

    async def spawn(self, script: str) -> None:
        """Start a script that goes on running when this call is over.

        Where the provider has no way of its own: `await self.run(detached(script), timeout_s=...)`.
        """
        ...


def detached(script: str) -> str:
    """A script that starts `script` in the background, out of reach of what ends with its caller."""
    background = f"nohup sh -c {shlex.quote(script)} </dev/null >/dev/null 2>&1 &"
    return f"if command -v setsid >/dev/null 2>&1; then setsid {background} else {background} fi"


async def find_home(machine: Machine) -> str:
    """The home directory of the user that the machine's scripts run as.

    Raises:
        ServerStartFailed: there is none that can be written.
    """
    result = await machine.run(
        'mkdir -p "$HOME" && [ -w "$HOME" ] && printf %s "$HOME"', timeout_s=QUICK_TIMEOUT_S
    )
    home = result.stdout.strip()
    if result.exit_code != 0 or not home.startswith("/"):
        raise ServerStartFailed(
            "The sandbox's user has no home directory that can be written. Set HOME in the image.",
            log=result.output or None,
        )
    return home


async def free_port(machine: Machine) -> int:
    """A port of the machine on which nothing listens, for a machine that several sandboxes share. It is not kept
    free: somebody else may be faster.

    Raises:
        ServerStartFailed: there is no Python that could be asked.
    """
    done = await machine.run(scripts.free_port(), timeout_s=QUICK_TIMEOUT_S)
    if done.exit_code != 0:
        raise ServerStartFailed(
            "The machine has no python3 to find a free port with.", log=done.output or None
        )
    return int(done.stdout)


async def read_memory_mb(machine: Machine) -> int | None:
    """How much memory there is; None when the machine does not say."""
    done = await machine.run(scripts.memory(), timeout_s=QUICK_TIMEOUT_S)
    said = done.stdout.strip()
    return int(said) if done.exit_code == 0 and said.isdigit() else None


async def read_file(machine: Machine, path: str) -> bytes | None:
    """A text file; None when it is not there."""
    done = await machine.run(f"cat {shlex.quote(path)}", timeout_s=QUICK_TIMEOUT_S)
    return done.stdout.encode() if done.exit_code == 0 else None
