"""A program that an installation runs and waits for: npm, pip, the agent itself for its first start."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_core.redact import mask

from sandbox_agent_server.runtime.children import the_children

__all__ = ["ToolResult", "run_tool", "without_own_variables"]

_POLL_S: Final = 0.1
_SAID_CHARS: Final = 4000


@dataclass(frozen=True, slots=True)
class ToolResult:
    code: int
    said: str
    """The end of what it wrote, without secrets."""

    @property
    def first_lines(self) -> str:
        """For a message: a few words of it."""
        lines = [line.removeprefix("npm error ").strip() for line in self.said.splitlines()]
        # npm's first line is its code, which says less than what follows.
        return " ".join([line for line in lines if line][:3]) or "it said nothing"


def run_tool(
    command: Sequence[str],
    *,
    name: str,
    directory: Path,
    env: Mapping[str, str],
    timeout_s: float,
    check: Callable[[], None] = lambda: None,
) -> ToolResult:
    """Run it to its end, in a process group of its own. `check` is called meanwhile and may raise, which ends it.

    Raises:
        InstallFailed: it cannot be run, or takes longer than `timeout_s`. `name` is what it is called.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = the_children.start(
                lambda: subprocess.Popen(  # noqa: S603 - what an installation consists of
                    command,
                    cwd=directory,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        except OSError as exc:
            raise InstallFailed(f"{name} cannot be run: {exc}", program=command[0]) from exc
        try:
            code = _wait(process, name, timeout_s, check)
        finally:
            _end(process)
        output.seek(0)
        said = mask(output.read().decode("utf-8", "replace").strip()[-_SAID_CHARS:])
        return ToolResult(code, said)


def without_own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What is meant for the server is nobody else's."""
    return {key: value for key, value in environ.items() if not key.startswith("SANDBOX_AGENT_")}


def _wait(
    process: subprocess.Popen[bytes], name: str, timeout_s: float, check: Callable[[], None]
) -> int:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            check()
        if time.monotonic() > deadline:
            raise InstallFailed(
                f"{name} took more than {timeout_s:g} s and was ended.", limit_s=timeout_s
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    # Also when it has ended: what it left running has no owner.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
