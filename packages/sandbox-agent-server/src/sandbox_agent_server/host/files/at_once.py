"""What can be told of a file without waiting, and so without a thread, whose way there and back costs more than the rest.

The kernel has to have the whole path in memory (`RESOLVE_CACHED`), and what it leads to has to be on a file system of this
machine: others answer themselves, some of them never. Whatever is not so is for a thread, and errors are, too.
"""

from __future__ import annotations

import os
import stat

from sandbox_agent_server.host.files.local_mounts import LocalMounts
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.reading import OpenFile

__all__ = ["AtOnce"]

# Not to wait for whoever has a lease on it, nor to write when it was read, which can wait for the disk.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)


class AtOnce:
    """Its methods do not block. None: ask in a thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._local = LocalMounts()

    def status(self, path: str) -> os.stat_result | None:
        """Of what an `absolute` path leads to, links followed."""
        try:
            named = self._paths.name_cached(path)
            try:
                return os.fstat(named) if self._local.has(named) else None
            finally:
                os.close(named)
        except OSError:
            return None

    def open_file(self, path: str) -> OpenFile | None:
        """A regular file."""
        try:
            named = self._paths.name_cached(path)
            try:
                if not self._local.has(named) or not stat.S_ISREG(os.fstat(named).st_mode):
                    return None
                return OpenFile(path, os.open(f"/proc/self/fd/{named}", _READING))
            finally:
                os.close(named)
        except OSError:
            return None
