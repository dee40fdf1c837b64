"""A file that only this user can read, for what must not be on a command line: all users see those."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["PRIVATE_PREFIX", "PrivateFile"]

PRIVATE_PREFIX: Final = "sandbox-agent-"
"""Of their names."""
_MEMORY: Final = "/dev/shm"  # noqa: S108 - mkstemp makes the name


class PrivateFile:
    """In memory where there is a place for that: keys are not written to disks."""

    def __init__(self, text: str, *, name: str, suffix: str) -> None:
        in_memory = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
        # Mode 0600, by mkstemp.
        descriptor, path = tempfile.mkstemp(
            prefix=f"{PRIVATE_PREFIX}{name}-", suffix=suffix, dir=in_memory
        )
        self.path = Path(path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def remove(self) -> None:
        # Qwen keeps a copy beside what it brings up to date.
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)
