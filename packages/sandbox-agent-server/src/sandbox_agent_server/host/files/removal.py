"""Removing a tree on descriptors: no link is followed, however deep it is and whoever changes it meanwhile."""

from __future__ import annotations

import contextlib
import os

__all__ = ["remove_tree"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(directory: int, name: str) -> None:
    """A file, a link, or a directory with all it has. Raises: OSError."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # the second is what POSIX says of a directory
        pass
    else:
        return
    way = [(os.open(name, _DIRECTORY, dir_fd=directory), name)]
    try:
        while way:
            here, name = way[-1]
            child = _empty_but_for_directories(here)
            if child is not None:
                way.append((os.open(child, _DIRECTORY, dir_fd=here), child))
                continue
            os.close(way.pop()[0])
            os.rmdir(name, dir_fd=way[-1][0] if way else directory)
    finally:
        for descriptor, _ in way:
            os.close(descriptor)


def _empty_but_for_directories(here: int) -> str | None:
    """The first directory in it."""
    with os.scandir(here) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                return entry.name
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.name, dir_fd=here)
    return None
