"""The computer in a Daytona sandbox: scripts and files through the toolbox that runs in it."""

from __future__ import annotations

import math
import secrets
import shlex
from typing import TYPE_CHECKING

from sandbox_agent_core.provisioning import CommandResult, detached

from sandbox_agent_daytona.api import call

if TYPE_CHECKING:
    from daytona import AsyncSandbox

__all__ = ["DaytonaMachine"]

SPAWN_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 600


class DaytonaMachine:
    """A `Machine`."""

    def __init__(self, sandbox: AsyncSandbox) -> None:
        self._sandbox = sandbox

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        mark = f"-- {secrets.token_hex(8)} --"
        # The sandbox's own shell may be zsh.
        command = f"/bin/sh -c {shlex.quote(_with_errors_apart(script, mark))}"
        done = await call(
            lambda: self._sandbox.process.exec(command, timeout=math.ceil(timeout_s)),
            sandbox=self._sandbox.id,
        )
        return _result(done.result, mark, done.exit_code)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        sandbox = self._sandbox
        await call(
            lambda: sandbox.fs.upload_file(content, path, timeout=UPLOAD_TIMEOUT_S),
            sandbox=sandbox.id,
        )
        await call(
            lambda: sandbox.fs.set_file_permissions(path, mode=f"{mode:o}"), sandbox=sandbox.id
        )

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=SPAWN_TIMEOUT_S)


def _with_errors_apart(script: str, mark: str) -> str:
    """Daytona answers with one text for both streams: what was said on the second follows the mark."""
    return f"""\
errors=$(mktemp) || exit 1
/bin/sh -c {shlex.quote(script)} 2>"$errors"
code=$?
printf '\\n%s %s\\n' {shlex.quote(mark)} "$code"
cat "$errors"
rm -f "$errors"
exit $code
"""


def _result(text: str, mark: str, exit_code: int | None) -> CommandResult:
    stdout, found, rest = text.partition(f"\n{mark} ")
    if not found:  # it did not get that far
        return CommandResult(exit_code or 1, stdout)
    code, _, stderr = rest.partition("\n")
    return CommandResult(int(code), stdout, stderr)
