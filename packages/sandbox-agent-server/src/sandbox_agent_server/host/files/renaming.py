"""Renaming that replaces nothing, and two that change places: what Linux has and Python has not."""

from __future__ import annotations

import ctypes
import errno
import os
from secrets import token_hex
from typing import Final

__all__ = ["exchange", "is_scratch", "rename_to_new", "scratch_name"]

_SCRATCH: Final = ".sandbox-agent-"
_NOREPLACE: Final = 1
_EXCHANGE: Final = 2
_NOT_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.EPERM)
"""What an old kernel, or a file system that cannot, says."""

_libc = ctypes.CDLL(None, use_errno=True)


def scratch_name() -> str:
    """Of what is on its way to its name. Watchers are not told of it."""
    return f"{_SCRATCH}{token_hex(8)}.part"


def is_scratch(name: str) -> bool:
    return name.startswith(_SCRATCH) and name.endswith(".part")


def rename_to_new(old_directory: int, old: str, new_directory: int, new: str) -> None:
    """Raises: FileExistsError when there is something; OSError."""
    try:
        _renameat2(old_directory, old, new_directory, new, _NOREPLACE)
    except OSError as exc:
        if exc.errno not in _NOT_HERE:
            raise
        _check_free(new_directory, new)
        os.rename(old, new, src_dir_fd=old_directory, dst_dir_fd=new_directory)


def exchange(old_directory: int, old: str, new_directory: int, new: str) -> None:
    """Both have to be there. Raises: OSError."""
    try:
        _renameat2(old_directory, old, new_directory, new, _EXCHANGE)
    except OSError as exc:
        if exc.errno not in _NOT_HERE:
            raise
        aside = scratch_name()
        os.rename(new, aside, src_dir_fd=new_directory, dst_dir_fd=new_directory)
        try:
            os.rename(old, new, src_dir_fd=old_directory, dst_dir_fd=new_directory)
        except OSError:
            os.rename(aside, new, src_dir_fd=new_directory, dst_dir_fd=new_directory)
            raise
        os.rename(aside, old, src_dir_fd=new_directory, dst_dir_fd=old_directory)


def _check_free(directory: int, name: str) -> None:
    try:
        os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)


def _renameat2(old_directory: int, old: str, new_directory: int, new: str, flags: int) -> None:
    function = getattr(_libc, "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(old_directory, os.fsencode(old), new_directory, os.fsencode(new), flags) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
