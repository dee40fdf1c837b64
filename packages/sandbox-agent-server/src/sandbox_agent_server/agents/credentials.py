"""Whether an agent will find something to log in with, looked up the way it would look itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbox_agent_core.credentials import CREDENTIAL_SOURCES, Discovery, discover

__all__ = ["MAX_LOGIN_FILE_BYTES", "find_credentials", "read_login_file"]

MAX_LOGIN_FILE_BYTES = 16 * 1024 * 1024
"""Claude Code keeps more than its login in one of them; a larger file is none."""


def find_credentials(agent: str, env: Mapping[str, str]) -> Discovery | None:
    """`env` is what the agent's process gets. None when it is not known where this agent looks."""
    return discover(agent, env, read_login_file) if agent in CREDENTIAL_SOURCES else None


def read_login_file(path: str) -> str | None:
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
