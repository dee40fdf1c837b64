"""Where callers may go, and the way there: a path becomes a descriptor once, and all work is done on that.

With a root everything is beneath it, whatever links say and whoever renames meanwhile. Without one the sandbox is
the wall, and paths are what they are to any program.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import (
    InvalidRequest,
    NotADirectory,
    NotAFile,
    PathForbidden,
    PathNotFound,
)

from sandbox_agent_server.host.files.beneath import (
    O_PATH,
    inside_of,
    open_beneath,
    open_cached,
)
from sandbox_agent_server.host.files.told import refused, told

__all__ = ["Paths", "Place"]

_MAX_PATH_BYTES: Final = 4095
"""PATH_MAX, without its end."""
_MAX_LINKS: Final = 40
_DIRECTORY: Final = O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is or will be: a name in a directory that is held open."""

    directory: int
    name: str
    path: str


class Paths:
    """Its methods block, and raise the errors of `told`."""

    def __init__(self, root: Path | None = None, *, home: Path | None = None) -> None:
        """`root`: an existing directory. `home`: what relative paths and `~` begin at where there is no root."""
        self.root = None if root is None else os.path.realpath(root)
        self._given_root = None if root is None else str(Path(root).absolute())
        self.home = self.root or str((home or Path.home()).absolute())

    def absolute(self, given: str, *, base: str | None = None, climbs: bool = False) -> str:
        """The path that a caller means, as text: nothing is looked at.

        `base`: where a relative one begins, by default `home`; with a root always there. `climbs`: it may have `..`.

        Raises:
            InvalidRequest: no path. PathForbidden: it does not begin with the root.
        """
        if "\0" in given:
            raise InvalidRequest("a path has no NUL in it")
        try:
            size = len(os.fsencode(given))
        except UnicodeEncodeError as exc:
            raise InvalidRequest("half a character is in the path: it names no file") from exc
        if size > _MAX_PATH_BYTES:
            raise InvalidRequest(f"a path may have {_MAX_PATH_BYTES} bytes")
        if given == "~" or given.startswith("~/"):
            given = given[2:]
            base = self.home
        if given.startswith("/"):
            # As on a command line: `/a//b/.` is `/a/b`, and `..` is for the kernel to say.
            return self._inside(_plain(given))
        if not climbs and ".." in given.split("/"):
            raise InvalidRequest(
                f"invalid relative path: {given!r} has `..` in it; give an absolute path",
                path=given,
            )
        return _plain(f"{self.root or base or self.home}/{given}")

    def _inside(self, path: str) -> str:
        if self.root is None:
            return path
        for root in (self.root, self._given_root or self.root):
            if (inside := inside_of(root, path)) is not None:
                return str(Path(self.root, inside))
        raise PathForbidden(
            f"{path!r} is not beneath {self.root!r}, the root of this server", path=path
        )

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """A descriptor of an `absolute` path. Raises: OSError, EXDEV for what leads out of the root."""
        flags |= os.O_CLOEXEC
        if self.root is None:
            return os.open(path, flags, mode)
        root = os.open(self.root, _DIRECTORY)
        try:
            relative = inside_of(self.root, path)
            if relative is None:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            return open_beneath(root, relative or ".", flags, mode, root_path=self.root)
        finally:
            os.close(root)

    def name_cached(self, path: str) -> int:
        """A descriptor that names what an `absolute` path leads to and does not open it. Does not block.

        Raises: OSError, also where `open` would find it.
        """
        if self.root is None:
            return open_cached(path)
        root = open_cached(self.root, _DIRECTORY)
        try:
            relative = inside_of(self.root, path)
            if relative is None:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            return open_cached(relative or ".", root=root)
        finally:
            os.close(root)

    @contextlib.contextmanager
    def directory(self, path: str) -> Iterator[int]:
        """A directory, held open to find what is in it.

        Raises: PathNotFound, NotADirectory, PathForbidden.
        """
        with told(path):
            descriptor = self._open_directory(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_directory(self, path: str) -> int:
        try:
            return self.open(path, _DIRECTORY)
        except NotADirectoryError:
            if self._is_there(path):
                raise NotADirectory(f"{path!r} is not a directory", path=path) from None
            raise _below_a_file(path) from None

    @contextlib.contextmanager
    def place(self, path: str, *, make: bool = False, follow: bool = False) -> Iterator[Place]:
        """The directory that a path names something in. `make`: it and those above it, where they are missing.
        `follow`: if there is a link, the place that it leads to, whether there is something or not.

        Raises:
            InvalidRequest: it ends in `..`. PathForbidden: it is the root itself, or leads out of it.
            PathNotFound, NotADirectory.
        """
        with told(path):
            if follow:
                path = self._end_of_links(path)
            parent, name = self._split(path)
            if make:
                self.make_directory(parent)
            try:
                directory = self.open(parent, _DIRECTORY)
            except NotADirectoryError:
                raise _below_a_file(path) from None
        try:
            yield Place(directory, name, path)
        finally:
            os.close(directory)

    def _split(self, path: str) -> tuple[str, str]:
        if path in ("/", self.root):
            raise PathForbidden(f"{path!r} itself is not moved, removed or replaced", path=path)
        parent, _, name = path.rpartition("/")
        if name == "..":
            raise InvalidRequest(f"{path!r} ends in `..`; name the thing itself", path=path)
        return parent or "/", name

    def _end_of_links(self, path: str) -> str:
        for _ in range(_MAX_LINKS):
            try:
                with self.place(path) as place:
                    target = os.readlink(place.name, dir_fd=place.directory)
            except PathNotFound:
                return path
            except OSError as exc:
                if exc.errno in (errno.EINVAL, errno.ENOENT):
                    return path
                raise
            if target.startswith("/"):
                path = self._inside(target)
            else:
                path = f"{path.rpartition('/')[0]}/{target}"
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def make_directory(self, path: str) -> None:
        """It and those above it; one that is there is fine.

        Raises: NotADirectory: there is a file on the way. PathForbidden. DiskFull.
        """
        with told(path):
            todo = []
            while not self._is_directory(path):
                parent, name = self._split(path)
                todo.append((parent, name))
                path = parent
            while todo:
                parent, name = todo.pop()
                directory = self.open(parent, _DIRECTORY)
                try:
                    os.mkdir(name, dir_fd=directory)
                except FileExistsError:
                    self._check_directory(f"{parent}/{name}")
                finally:
                    os.close(directory)

    def _check_directory(self, path: str) -> None:
        if not self._is_directory(path):
            raise NotADirectory(f"{path!r} is there already and no directory", path=path)

    def _is_directory(self, path: str) -> bool:
        try:
            os.close(self.open(path, _DIRECTORY))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _is_there(self, path: str) -> bool:
        try:
            os.close(self.open(path, O_PATH))
        except OSError:
            return False
        return True

    def status(self, path: str) -> os.stat_result:
        """Of what a path leads to, links followed. Raises: PathNotFound, PathForbidden."""
        with told(path):
            try:
                descriptor = self.open(path, O_PATH)
            except NotADirectoryError:
                raise _below_a_file(path) from None
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def open_file(self, path: str, flags: int = os.O_RDONLY) -> int:
        """A regular file that is there. A device, FIFO or socket is looked at and never opened.

        Raises: PathNotFound, NotAFile, PathForbidden.
        """
        with told(path):
            try:
                named = self.open(path, O_PATH)
            except NotADirectoryError:
                raise _below_a_file(path) from None
            try:
                found = os.fstat(named)
                if not stat.S_ISREG(found.st_mode):
                    raise NotAFile(f"{path!r} is not a file: {_kind(found.st_mode)}", path=path)
                return self._opened(named, found, path, flags)
            finally:
                os.close(named)

    def _opened(self, named: int, found: os.stat_result, path: str, flags: int) -> int:
        # Not to wait: some files of /proc are regular ones without an end.
        flags |= os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            return os.open(f"/proc/self/fd/{named}", flags)
        except (FileNotFoundError, NotADirectoryError):
            pass  # no /proc here
        opened = self.open(path, flags)
        seen = os.fstat(opened)
        if (seen.st_dev, seen.st_ino) != (found.st_dev, found.st_ino):
            os.close(opened)
            raise NotAFile(f"{path!r} was replaced meanwhile", path=path)
        return opened

    def resolve_directory(self, given: str, *, base: str | None = None) -> Path:
        """Of a caller who names a directory to work in: the real one, all links followed.

        `base`: where a relative path begins, by default the server's working directory; with a root always there.

        Raises: PathNotFound, NotADirectory, PathForbidden, InvalidRequest.
        """
        path = self.absolute(given, base=base or str(Path.cwd()), climbs=True)
        with self.directory(path) as descriptor:
            real = _real_path(descriptor, path)
        if self.root is not None and inside_of(self.root, real) is None:
            raise refused(path, OSError(errno.EXDEV, ""))
        return Path(real)


def _plain(path: str) -> str:
    """As `str(Path(path))`, which takes ten times as long; but with one slash at the beginning."""
    return "/" + "/".join([part for part in path.split("/") if part not in ("", ".")])


def _real_path(descriptor: int, path: str) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return os.path.realpath(path)


def _below_a_file(path: str) -> PathNotFound:
    return PathNotFound(f"there is nothing at {path!r}: a part of it is no directory", path=path)


def _kind(mode: int) -> str:
    for is_kind, kind in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a symbolic link"),
    ):
        if is_kind(mode):
            return kind
    return "a device"
