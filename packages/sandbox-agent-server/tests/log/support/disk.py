"""A disk that is full when the test says so, for every log in this process."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Disk"]


class Disk:
    """What `os` is to the module of log files, with writes that fail, or come back short."""

    def __init__(self) -> None:
        self.takes_bytes: int | None = None
        """Of the next write; None: all of them."""
        self.truncates = True
        self.syncs: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.takes_bytes is None:
            return os.write(descriptor, data)
        if self.takes_bytes == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data[: self.takes_bytes])

    def ftruncate(self, descriptor: int, size: int) -> None:
        if not self.truncates:
            raise OSError(errno.EIO, "Input/output error")
        os.ftruncate(descriptor, size)

    def fdatasync(self, descriptor: int) -> None:
        self.syncs.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    @contextmanager
    def full(self, *, takes_bytes: int = 0) -> Iterator[None]:
        self.takes_bytes = takes_bytes
        try:
            yield
        finally:
            self.takes_bytes = None
