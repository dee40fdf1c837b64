"""Which mounts are of file systems that this machine has itself, so that the kernel answers for them and nobody else."""

from __future__ import annotations

import os
import select
import weakref
from collections.abc import Iterator
from typing import Final

__all__ = ["LocalMounts"]

_MOUNTS: Final = "/proc/self/mountinfo"
_LOCAL: Final = frozenset(
    {b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"f2fs", b"tmpfs", b"ramfs"}
)
_OVERLAY: Final = b"overlay"
"""It may lie over anything. Only the one at `/` counts: the server itself was loaded from it, and hangs with it."""
_MAX_BYTES: Final = 256 * 1024
"""Of the list of mounts. What comes after is taken for a stranger, so that nobody waits while many are read."""
_PAGE_BYTES: Final = 4096


class LocalMounts:
    """Asked for every request: what the kernel keeps about itself, never a file system."""

    def __init__(self) -> None:
        self._ids: frozenset[bytes] | None = None
        self._changes = select.poll()
        self._is_known = False
        try:
            descriptor = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # another system, or no /proc
            return
        weakref.finalize(self, os.close, descriptor)
        # The kernel tells of a change by these, once to each who has the list open.
        self._changes.register(descriptor, select.POLLERR | select.POLLPRI)
        self._is_known = True

    def has(self, descriptor: int) -> bool:
        """Whether what a descriptor names is on one of them. Raises: OSError."""
        if not self._is_known:
            return False
        # The change is taken before the list is read: one that comes meanwhile is seen the next time.
        if self._changes.poll(0) or self._ids is None:
            self._ids = frozenset(_local(_beginning_of(_MOUNTS, _MAX_BYTES)))
        return _mount_of(descriptor) in self._ids


def _mount_of(descriptor: int) -> bytes:
    """As long as the descriptor is open, no other mount has this number. Empty: not told."""
    told = _beginning_of(f"/proc/self/fdinfo/{descriptor}", _PAGE_BYTES)
    return told.partition(b"mnt_id:")[2].partition(b"\n")[0].strip()


def _local(mounts: bytes) -> Iterator[bytes]:
    # id parent device root place options [tags…] - kind source options
    for line in mounts[: mounts.rfind(b"\n") + 1].splitlines():
        before, _, after = line.partition(b" - ")
        kind = after.partition(b" ")[0]
        number, _, _, _, place, *_ = before.split(b" ")
        if kind in _LOCAL or (kind == _OVERLAY and place == b"/"):
            yield number


def _beginning_of(path: str, size: int) -> bytes:
    """Less than `size` only when that is all."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.read(descriptor, size)
        # A list of the kernel comes a page at a time.
        while len(found) < size and (more := os.read(descriptor, size - len(found))):
            found += more
        return found
    finally:
        os.close(descriptor)
