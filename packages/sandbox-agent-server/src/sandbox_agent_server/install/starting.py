"""The first start of a program that was installed: what does not start is not installed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed

from sandbox_agent_server.install.tool_process import run_tool, without_own_variables

__all__ = ["START_TIMEOUT_S", "check_start"]

START_TIMEOUT_S: Final = 120.0
"""Some unpack themselves at their first start, on a disk that may be slow."""
_USERS_OWN: Final = ("XDG_", "NODE_OPTIONS")


def check_start(
    agent: str, program: Path, *, environ: Mapping[str, str], check: Callable[[], None]
) -> None:
    """Let it say its version, in a home of its own so that it changes nothing of the user's.

    Raises:
        InstallFailed: it does not start; `details.stderr` has what it said.
    """
    with tempfile.TemporaryDirectory(
        prefix="sandbox-agent-start-", ignore_cleanup_errors=True
    ) as home:
        env = without_own_variables(environ)
        env = {name: value for name, value in env.items() if not name.startswith(_USERS_OWN)}
        done = run_tool(
            [str(program), "--version"],
            name=agent,
            directory=Path(home),
            env=env | {"HOME": home},
            timeout_s=START_TIMEOUT_S,
            check=check,
        )
    if done.code != 0:
        raise InstallFailed(
            f"{agent} was unpacked and does not start (status {done.code}): {done.first_lines}. "
            "What was in use stays in use.",
            agent=agent,
            stderr=done.said,
        )
