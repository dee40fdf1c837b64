"""The credentials of this machine, as the environment of an agent somewhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_agent_core.credentials import Credential, Problem, discover_all

__all__ = ["Credential", "LocalCredentials", "local_credentials"]

MAX_LOGIN_FILE_BYTES = 16 * 1024 * 1024
"""Claude Code keeps more than its login in one of them; a larger file is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCredentials:
    """What was found. Showing the object shows no secret; `env` and `Credential.value` hold them."""

    env: Mapping[str, str] = field(repr=False)
    """For `env=` of `SandboxAgent.start` or `create_session`: of each provider what comes first."""
    credentials: tuple[Credential, ...]
    """Everything, by agent and in order of precedence, with what has expired or only works here."""
    problems: tuple[Problem, ...]
    """Files that could not be read, and logins that have expired."""


def local_credentials(
    agents: Iterable[str] | None = None, *, environ: Mapping[str, str] | None = None
) -> LocalCredentials:
    """Look through the environment and the login files of these agents, or of all that are known.

    Name the agents: what is not needed somewhere else should not be there. Nothing is written and
    no program is run. `environ` replaces the environment of this process; its HOME counts.

    Raises:
        errors.UnsupportedAgent: it is not known where an agent keeps its credentials.
    """
    env = {"HOME": str(Path.home()), **os.environ} if environ is None else environ
    discoveries = discover_all(agents, env, read_text)
    # The agent that was named first decides what a variable holds.
    merged: dict[str, str] = {}
    for discovery in discoveries:
        merged = discovery.environment() | merged
    return LocalCredentials(
        env=merged,
        credentials=tuple(found for each in discoveries for found in each.credentials),
        problems=tuple(problem for each in discoveries for problem in each.problems),
    )


def read_text(path: str) -> str | None:
    """None when there is no file. Raises: OSError, ValueError (not UTF-8, or too large)."""
    file = Path(path)
    # Reading a named pipe would wait for ever.
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        content = opened.read(MAX_LOGIN_FILE_BYTES + 1)
    if len(content) > MAX_LOGIN_FILE_BYTES:
        raise ValueError(f"larger than {MAX_LOGIN_FILE_BYTES} bytes")
    return content.decode("utf-8")
