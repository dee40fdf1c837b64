"""A regular file held open, and what a reader has to know of it before the first byte."""

from __future__ import annotations

import os
from typing import Final

from sandbox_agent_server.host.files.entries import etag_of
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.told import told

__all__ = ["OpenFile"]

_SEQUENTIAL_BYTES: Final = 4 * 1024 * 1024


class OpenFile:
    """What is read is what was there when it was opened, though its name gets another file."""

    def __init__(self, path: str, descriptor: int) -> None:
        """Of a regular file; closing it is ours from here on."""
        self.path = path
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self.size = status.st_size
        self.modified_s = status.st_mtime
        self.etag = etag_of(status)
        if self.size > _SEQUENTIAL_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    @classmethod
    def opened(cls, paths: Paths, path: str) -> OpenFile:
        """Blocks. Raises: PathNotFound, NotAFile, PathForbidden."""
        return cls(path, paths.open_file(path))

    def read(self, offset: int, size: int) -> bytes:
        """Less at the end of the file, nothing behind it. Blocks.

        Raises: FileSystemError, PathForbidden.
        """
        with told(self.path):
            return os.pread(self._descriptor, size, offset)

    def read_cached(self, offset: int, size: int) -> bytes | None:
        """As `read`, where all of it is in memory; None where it would have to wait. Does not block."""
        piece = bytearray(size)
        try:
            count = os.preadv(self._descriptor, [piece], offset, os.RWF_NOWAIT)
        except (
            AttributeError,
            OSError,
        ):  # not with this system; not in memory, or not with this file system
            return None
        return bytes(piece) if count == size else None

    def close(self) -> None:
        """Does no harm a second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
