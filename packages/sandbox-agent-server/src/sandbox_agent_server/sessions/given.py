"""What whoever makes a session gives it, looked at before anything is made."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_agent_core.errors import InvalidRequest

__all__ = ["check_env", "directories_of", "workspace_of"]


def workspace_of(cwd: str | None) -> Path:
    """Raises: InvalidRequest."""
    return _directory("cwd", Path(cwd) if cwd is not None else Path.cwd())


def directories_of(paths: Sequence[str]) -> list[str]:
    """Beside the workspace, each once. Raises: InvalidRequest."""
    return list(
        dict.fromkeys(str(_directory("additionalDirectories", Path(path))) for path in paths)
    )


def _directory(member: str, path: Path) -> Path:
    """Raises: InvalidRequest."""
    shown = str(path)[:256]
    if not path.is_absolute():
        raise InvalidRequest(f"`{member}` {shown!r} is not absolute", **{member: shown})
    try:
        is_there = path.is_dir()
    except (OSError, ValueError) as exc:  # too long, with a NUL, or behind one that is closed to us
        raise InvalidRequest(f"`{member}` {shown!r}: {exc}") from exc
    if not is_there:
        raise InvalidRequest(
            f"`{member}` {shown!r} is not a directory in this sandbox", **{member: shown}
        )
    return path


def check_env(env: Mapping[str, str]) -> None:
    """Raises: InvalidRequest for what no process can be given. Names the variable, never its value."""
    for name, value in env.items():
        text = name + value
        try:
            os.fsencode(text)
            is_possible = bool(name) and "=" not in name and "\0" not in text
        except UnicodeEncodeError:
            is_possible = False
        if not is_possible:
            raise InvalidRequest(
                f"`env`: {name[:64]!r} cannot be set: a name is not empty and has no `=`, and neither "
                "it nor its value has a NUL character"
            )
    home = env.get("HOME") or "/"
    try:
        is_file = not stat.S_ISDIR(Path(home).stat().st_mode)
    except OSError:
        is_file = False  # An agent makes one that is not there.
    if is_file:
        raise InvalidRequest(f"`env`: HOME {home[:256]!r} is not a directory in this sandbox")
