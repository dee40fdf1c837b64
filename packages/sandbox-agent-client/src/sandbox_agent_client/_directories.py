"""Paths that sessions are given: of the sandbox, which for the local one are paths of this machine."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path, PurePosixPath

from sandbox_agent_core.errors import InvalidRequest

__all__ = ["directory"]


def directory(given: str | PathLike[str], *, is_local: bool) -> str:
    """Absolute. In a local sandbox `~` is this user's and relative paths count from here.

    Raises:
        InvalidRequest: it is neither, and the sandbox is elsewhere: nobody knows what it would count from there.
    """
    path = fspath(given)
    if is_local:
        try:
            return str(Path(path).expanduser().absolute())
        except (RuntimeError, OSError) as exc:
            raise InvalidRequest(f"`cwd` {path!r}: {exc}") from exc
    if not PurePosixPath(path).is_absolute():
        raise InvalidRequest(
            f"`cwd` {path!r} is not absolute. It is a path in the sandbox, which is not this machine: only with a local "
            "sandbox are relative paths and `~` those of here."
        )
    return path
