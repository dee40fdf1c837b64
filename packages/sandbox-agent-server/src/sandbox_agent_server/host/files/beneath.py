"""Opening what is beneath a directory, whatever links and whoever renames meanwhile.

The kernel does it where it can (`openat2`, Linux 5.6, unless seccomp forbids it). Else, and for absolute links that
lead back inside, which the kernel refuses, the components are walked on descriptors, each link read and never followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections import deque
from typing import Final

__all__ = ["O_PATH", "inside_of", "open_beneath", "open_cached", "walk_beneath"]

O_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)
"""A descriptor that names and does not open. Where there is none, a device is only opened without waiting for it."""

_OPENAT2: Final = 437
"""On every architecture of Linux but alpha."""
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
_WITHIN: Final = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
_RESOLVE_CACHED: Final = 0x20
"""Linux 5.12."""
_AT_FDCWD: Final = -100
_MAX_LINKS: Final = 40
"""As in the kernel."""
_MAX_DEPTH: Final = 512
"""Components that are held open at a time by a walk."""
_NOT_HERE: Final = (errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL)
"""What a kernel without `openat2`, or a filter in front of it, says."""
_TRIES: Final = 4
"""Of the kernel, which gives up with EAGAIN when somebody renames while it looks."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def open_beneath(
    root: int, relative: str, flags: int, mode: int = 0, *, root_path: str | None = None
) -> int:
    """A descriptor of what `relative` names, seen from the directory `root`; links are followed inside of it.

    `root_path`: where the root is, so that absolute links back into it work.

    Raises:
        OSError: as `os.open`; EXDEV when the path, or a link on it, leads out.
    """
    for _ in range(_TRIES if sys.platform == "linux" else 0):
        try:
            return _openat2(root, relative, flags, mode)
        except OSError as exc:
            if exc.errno == errno.EAGAIN:
                continue
            if exc.errno == errno.EXDEV and root_path is not None:
                break
            if exc.errno not in _NOT_HERE:
                raise
            break
    return walk_beneath(root, relative, flags, mode, root_path=root_path)


def open_cached(path: str, flags: int = O_PATH, *, root: int | None = None) -> int:
    """A descriptor of what a path names, as far as the kernel has it in memory: it asks no file system and never waits.
    With a `root` as `open_beneath`, but for absolute links.

    Raises:
        OSError: EAGAIN when it has not, and whatever else; `os.open` and `open_beneath` know better.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), path)
    if root is None:
        return _openat2(_AT_FDCWD, path, flags, 0, _RESOLVE_CACHED)
    return _openat2(root, path, flags, 0, _WITHIN | _RESOLVE_CACHED)


def _openat2(root: int, relative: str, flags: int, mode: int, resolve: int = _WITHIN) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, mode if flags & os.O_CREAT else 0, resolve)
    name = os.fsencode(relative) or b"."
    found: int = _libc.syscall(_OPENAT2, root, name, ctypes.byref(how), ctypes.sizeof(how))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), relative)
    return found


def walk_beneath(
    root: int, relative: str, flags: int, mode: int = 0, *, root_path: str | None = None
) -> int:
    """As `open_beneath`, component by component."""
    if relative.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
    walk = _Walk(root, root_path)
    try:
        return walk.open(relative, flags, mode)
    except OSError as exc:
        raise OSError(exc.errno, os.strerror(exc.errno or errno.EIO), relative) from exc
    finally:
        walk.close()


class _Walk:
    def __init__(self, root: int, root_path: str | None) -> None:
        self._root_path = root_path
        self._way = [os.open(".", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)]
        """From the root to where we are: `..` goes back to a directory that was seen beneath, wherever it is now."""
        self._links = 0

    def close(self) -> None:
        while self._way:
            os.close(self._way.pop())

    def open(self, relative: str, flags: int, mode: int) -> int:
        todo = deque(_parts(relative))
        flags |= _asked_of_directories(relative)
        while todo:
            part = todo.popleft()
            if part == "..":
                self._back()
            elif (target := self._link(part)) is None:
                if not todo:
                    return self._open_here(part, flags, mode)
                self._enter(part)
            elif not todo and flags & os.O_NOFOLLOW:
                return self._open_here(part, flags, mode)
            else:
                flags |= 0 if todo else _asked_of_directories(target)
                todo.extendleft(reversed(self._follow(target)))
        return os.open(".", flags & ~os.O_CREAT | os.O_CLOEXEC, dir_fd=self._way[-1])

    def _open_here(self, part: str, flags: int, mode: int) -> int:
        # What has become a link since it was looked at is refused here (ELOOP), not followed.
        return os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self._way[-1])

    def _link(self, part: str) -> str | None:
        try:
            return os.readlink(part, dir_fd=self._way[-1])
        except OSError as exc:
            if exc.errno in (
                errno.EINVAL,
                errno.ENOENT,
            ):  # no link; nothing, which opening it tells
                return None
            raise

    def _enter(self, part: str) -> None:
        if len(self._way) > _MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, "too deep")
        flags = O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._way.append(os.open(part, flags, dir_fd=self._way[-1]))

    def _back(self) -> None:
        if len(self._way) == 1:
            raise OSError(errno.EXDEV, "out")
        os.close(self._way.pop())

    def _follow(self, target: str) -> list[str]:
        self._links += 1
        if self._links > _MAX_LINKS:
            raise OSError(errno.ELOOP, "too many links")
        if not target.startswith("/"):
            return _parts(target)
        inside = None if self._root_path is None else inside_of(self._root_path, target)
        if inside is None:
            raise OSError(errno.EXDEV, "out")
        while len(self._way) > 1:
            self._back()
        return _parts(inside)


def inside_of(root: str, path: str) -> str | None:
    """What comes after the root in an absolute path, None when it does not begin with it. Text alone decides."""
    beginning, parts = _parts(root), _parts(path)
    if parts[: len(beginning)] != beginning:
        return None
    return "/".join(parts[len(beginning) :])


def _asked_of_directories(path: str) -> int:
    """`file/` and `file/.` are nothing."""
    return os.O_DIRECTORY if path.endswith(("/", "/.")) else 0


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
