"""What is in a directory, and the changes of a tree that are not the contents of a file."""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sandbox_agent_core.api.files import EntryKind
from sandbox_agent_core.errors import InvalidRequest, LimitReached

from sandbox_agent_server.host.files.paths import Paths, Place
from sandbox_agent_server.host.files.removal import remove_tree
from sandbox_agent_server.host.files.renaming import exchange, rename_to_new
from sandbox_agent_server.host.files.told import told

__all__ = ["Entries", "described", "described_entry", "etag_of", "kind_of"]

_KINDS: Final[dict[int, EntryKind]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def kind_of(mode: int) -> EntryKind:
    return _KINDS.get(stat.S_IFMT(mode), "device")


def etag_of(status: os.stat_result) -> str:
    """Of the contents, as far as a file system tells: quoted, as HTTP has it."""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'


class Entries:
    """Its methods take `absolute` paths, block, and raise the errors of `told`."""

    def __init__(self, paths: Paths, *, max_entries: int) -> None:
        self._paths = paths
        self._max_entries = max_entries

    def stat(self, path: str, *, follow: bool = True) -> dict[str, Any]:
        """The members of a FileStat. Raises: PathNotFound, PathForbidden."""
        if follow:
            return described(path, self._paths.status(path))
        with self._paths.place(path) as place, told(path):
            return _of_entry(place.directory, place.name, path)

    def in_directory(
        self, path: str, *, after: str | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The members of FileEntries, sorted by name; with `limit` the first of those `after` a name.

        Raises:
            LimitReached: there are more than `max_entries`, and no `limit` was given.
            PathNotFound, NotADirectory, PathForbidden.
        """
        with self._paths.directory(path) as named, told(path):
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=named)
            try:
                found = []
                above = path.rstrip("/") + "/"
                for name in self._names(descriptor, path, after, limit):
                    entry = described_entry(descriptor, name, above + name)
                    if entry is not None:
                        found.append({"name": name, **entry})
                return found
            finally:
                os.close(descriptor)

    def _names(self, descriptor: int, path: str, after: str | None, limit: int | None) -> list[str]:
        with os.scandir(descriptor) as entries:
            names = (entry.name for entry in entries if after is None or entry.name > after)
            if limit is not None:
                return heapq.nsmallest(limit, names)
            return sorted(self._bounded(names, path))

    def _bounded(self, names: Iterator[str], path: str) -> Iterator[str]:
        for number, name in enumerate(names):
            if number == self._max_entries:
                raise LimitReached(
                    f"{path!r} has more than {self._max_entries} entries; ask for `limit` of them, and for the next "
                    "ones `after` the last name",
                    limit="max_list_entries",
                    value=self._max_entries,
                )
            yield name

    def make_directory(self, path: str) -> None:
        """With those above it; one that is there is fine. Raises: NotADirectory, PathForbidden, DiskFull."""
        self._paths.make_directory(path)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """A file, a link itself, an empty directory, or with `recursive` all that a directory has.

        Raises: PathNotFound, DirectoryNotEmpty, PathForbidden.
        """
        with self._paths.place(path) as place, told(path):
            status = os.lstat(place.name, dir_fd=place.directory)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(place.name, dir_fd=place.directory)
            elif recursive:
                remove_tree(place.directory, place.name)
            else:
                os.rmdir(place.name, dir_fd=place.directory)

    def move(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """To another path, whose directory is made if need be. What is replaced is gone only when the other is there.

        Raises: PathNotFound, PathExists, PathForbidden, InvalidRequest (a directory into itself).
        """
        with self._paths.place(source) as old, told(source):
            os.lstat(old.name, dir_fd=old.directory)  # before anything is made for it
            with self._paths.place(target, make=True) as new, told(target):
                self._move(old, new, overwrite=overwrite)

    def _move(self, old: Place, new: Place, *, overwrite: bool) -> None:
        if _is_same(old, new):
            return
        try:
            if not overwrite:
                rename_to_new(old.directory, old.name, new.directory, new.name)
                return
            try:
                os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
            except OSError as exc:
                if exc.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                    raise
                if _is_within(old.directory, new):
                    raise OSError(errno.EINVAL, "inside") from None
                # A directory is one of the two: they change places, and what was there is removed.
                exchange(old.directory, old.name, new.directory, new.name)
                remove_tree(old.directory, old.name)
        except OSError as exc:
            if exc.errno == errno.EXDEV:
                raise InvalidRequest(
                    f"{new.path!r} is on another file system than {old.path!r}: copy and remove it",
                    path=new.path,
                ) from exc
            if exc.errno in (errno.EINVAL, errno.ENOTEMPTY):
                raise InvalidRequest(
                    f"{old.path!r} cannot be moved to {new.path!r}: one is inside the other",
                    path=old.path,
                ) from exc
            raise


def _is_same(old: Place, new: Place) -> bool:
    """Also by another name of the directory."""
    return old.name == new.name and os.path.samestat(
        os.fstat(old.directory), os.fstat(new.directory)
    )


def _is_within(directory: int, place: Place) -> bool:
    """Whether a directory is, or is below, what is at a place."""
    top = os.lstat(place.name, dir_fd=place.directory)
    here = os.dup(directory)
    try:
        while True:
            status = os.fstat(here)
            if os.path.samestat(status, top):
                return True
            above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = above
            if os.path.samestat(os.fstat(here), status):
                return False  # at `/`
    finally:
        os.close(here)


def described_entry(directory: int, name: str, path: str) -> dict[str, Any] | None:
    """The members of a FileStat about the entry itself; None when it is gone by now."""
    try:
        return _of_entry(directory, name, path)
    except FileNotFoundError:
        return None


def _of_entry(directory: int, name: str, path: str) -> dict[str, Any]:
    status = os.lstat(name, dir_fd=directory)
    entry = described(path, status)
    if stat.S_ISLNK(status.st_mode):
        with contextlib.suppress(OSError):
            entry["symlinkTarget"] = os.readlink(name, dir_fd=directory)
    return entry


def described(path: str, status: os.stat_result) -> dict[str, Any]:
    """The members of a FileStat."""
    kind = kind_of(status.st_mode)
    members = {
        "path": path,
        "entryType": "directory" if kind == "directory" else "file",
        "size": status.st_size,
        "modified": _rfc3339(status.st_mtime_ns),
        "kind": kind,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
    }
    if kind == "file":
        members["etag"] = etag_of(status)
    return members


def _rfc3339(nanoseconds: int) -> str | None:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    beginning = _rfc3339_second(seconds)
    return None if beginning is None else f"{beginning}.{rest:09}+00:00"


@lru_cache(maxsize=1024)
def _rfc3339_second(seconds: int) -> str | None:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
