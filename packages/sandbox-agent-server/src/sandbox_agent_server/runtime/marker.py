"""A variable in the environment of everything an agent starts: how it is recognised when nothing else leads to it.

A marker is `<of the data directory>.<of the process>`. Children inherit it whatever they do with their parents,
groups and sessions, and it outlives the server. Only a process that clears its environment gets rid of it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["PROCESS_MARKER", "directory_marker", "is_below", "marker_of", "with_marker"]

PROCESS_MARKER: Final = "_SANDBOX_AGENT_PROCESS"
"""Not `SANDBOX_AGENT_*`: those are settings of a server, and an agent may run one."""
_FILE: Final = "process-marker"
_LENGTH: Final = 16
_PROC: Final = Path("/proc")
_MAX_ENVIRONMENT_BYTES: Final = 4 * 1024 * 1024


def directory_marker(data_dir: Path) -> str:
    """The same for every server of this directory, and another for a copy of it, whose agents are not ours
    to end. Raises: OSError.
    """
    path = data_dir / _FILE
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_text(secrets.token_hex(_LENGTH), encoding="ascii")
        part.replace(path)
    there = path.stat()
    text = path.read_bytes() + f":{there.st_dev}:{there.st_ino}".encode()
    return hashlib.sha256(text).hexdigest()[:_LENGTH]


def with_marker(env: Mapping[str, str]) -> tuple[Mapping[str, str], str | None]:
    """The environment for one more process, and its marker. An environment without the marker of a data
    directory stays as it is."""
    of_directory = env.get(PROCESS_MARKER)
    if not of_directory:
        return env, None
    marker = f"{of_directory}.{secrets.token_hex(_LENGTH // 2)}"
    return {**env, PROCESS_MARKER: marker}, marker


def marker_of(pid: int) -> str | None:
    """None: it has none, or one that may not be read. Blocks."""
    try:
        with (_PROC / str(pid) / "environ").open("rb") as file:
            block = b"\0" + file.read(_MAX_ENVIRONMENT_BYTES)
    except OSError:
        return None
    _before, found, rest = block.partition(f"\0{PROCESS_MARKER}=".encode())
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else None


def is_below(marker: str, other: str) -> bool:
    """The same, or that of a process of that directory."""
    return marker == other or marker.startswith(f"{other}.")
