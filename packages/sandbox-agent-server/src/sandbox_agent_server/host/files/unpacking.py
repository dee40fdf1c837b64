"""An archive that becomes files beneath a directory: beside it first, and in its place when all of it has come.

Every name is resolved on descriptors beneath the directory, so neither links in the archive nor links that somebody
makes meanwhile lead out. Nothing is made of devices and FIFOs; files belong to the server's user.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sandbox_agent_core.errors import (
    ArchiveInvalid,
    DiskFull,
    NotADirectory,
    NotAFile,
    PathNotFound,
    PayloadTooLarge,
    SandboxAgentError,
)
from sandbox_agent_core.tar_reader import Member, TarReader

from sandbox_agent_server.host.files.beneath import O_PATH, open_beneath
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.removal import remove_tree
from sandbox_agent_server.host.files.renaming import rename_to_new, scratch_name
from sandbox_agent_server.host.files.told import refused, told
from sandbox_agent_server.limits import HostLimits

__all__ = ["Unpacking"]

_TOLD_PATHS: Final = 1024
_GUNZIP_BYTES: Final = 1024 * 1024
_RATIO_FROM_BYTES: Final = 64 * 1024 * 1024
"""Less is no bomb, however well it is packed."""
_DIRECTORY: Final = O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unpacking:
    """Its methods block. `finish` or `abort` ends it; nothing is seen in the directory before `finish`."""

    def __init__(self, paths: Paths, path: str, limits: HostLimits, *, is_gzip: bool) -> None:
        """Makes the directories above it if need be. Raises: NotADirectory, PathForbidden, DiskFull."""
        self._path = path
        self._limits = limits
        self._tar = TarReader()
        self._gunzip = zlib.decompressobj(wbits=31) if is_gzip else None
        self._packed = self._unpacked = self._members = 0
        self._paths: list[str] = []
        self._skipped: list[str] = []
        self._links: list[str] = []
        self._file = -1
        self._file_left = 0
        self._file_time = 0
        self._parent: tuple[str, int] | None = None
        self._scratch = ""
        self._target = self._base = self._top = -1
        self._name = ""
        with told(path):
            try:
                self._find(paths, path)
                name = scratch_name()
                os.mkdir(name, 0o777 if self._name else 0o700, dir_fd=self._base)
                self._scratch = name
                self._top = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._base)
            except BaseException:
                self.abort()
                raise

    def _find(self, paths: Paths, path: str) -> None:
        """The directory, or where it will be, which is then all that is renamed."""
        try:
            with paths.directory(path) as opened:
                self._target, self._base = os.dup(opened), os.dup(opened)
        except PathNotFound:
            with paths.place(path, make=True) as place:
                self._base, self._name = os.dup(place.directory), place.name

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Raises: ArchiveInvalid, PayloadTooLarge, DiskFull, InvalidRequest (a name that cannot be)."""
        for piece in pieces:
            self._packed += len(piece)
            for data in self._plain(piece):
                self._count(len(data))
                for what in self._tar.feed(data):
                    if isinstance(what, Member):
                        self._begin(what)
                    else:
                        self._write(what)

    def _plain(self, piece: bytes) -> Iterator[bytes]:
        if self._gunzip is None:
            yield piece
            return
        try:
            while piece:
                if self._gunzip.eof:
                    # gzips that are put one behind the other are one; zeros pad a tape
                    if not piece.strip(b"\0"):
                        return
                    self._gunzip = zlib.decompressobj(wbits=31)
                yield self._gunzip.decompress(piece, _GUNZIP_BYTES)
                piece = (
                    self._gunzip.unused_data if self._gunzip.eof else self._gunzip.unconsumed_tail
                )
        except zlib.error as exc:
            raise ArchiveInvalid(f"this is no gzip, or a damaged one: {exc}") from exc

    def _count(self, size: int) -> None:
        limits = self._limits
        self._unpacked += size
        if self._unpacked > limits.max_archive_bytes:
            raise _too_large("max_archive_bytes", limits.max_archive_bytes, "unpacks to more bytes")
        if (
            self._unpacked > _RATIO_FROM_BYTES
            and self._unpacked > self._packed * limits.max_archive_ratio
        ):
            raise _too_large(
                "max_archive_ratio", limits.max_archive_ratio, "unpacks to more times its size"
            )

    # Members

    def _begin(self, member: Member) -> None:
        self._members += 1
        if self._members > self._limits.max_archive_entries:
            raise _too_large(
                "max_archive_entries", self._limits.max_archive_entries, "has more members"
            )
        name = self._inside(member.name, member)
        if not name:
            if member.size:
                raise ArchiveInvalid(f"{member.name!r} is no name of a file", member=member.name)
            return  # the directory itself
        with self._told(name):
            match member.kind:
                case "directory":
                    self._make_directories(name)
                case "file":
                    self._begin_file(name, member)
                case "symlink":
                    if not self._link(name, member.target):
                        return
                case "hard link":
                    self._hard_link(name, self._inside(member.target, member))
        if len(self._paths) <= _TOLD_PATHS:
            self._paths.append(f"{self._path.rstrip('/')}/{name}")

    def _inside(self, name: str, member: Member) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise ArchiveInvalid(
                f"invalid relative path: {name!r} leads out of the directory", member=member.name
            )
        if len(parts) > self._limits.max_archive_depth:
            raise _too_large(
                "max_archive_depth", self._limits.max_archive_depth, "has paths of more parts"
            )
        return "/".join(parts)

    def _at(self, name: str) -> tuple[int, str]:
        """The directory that a name is in, made if need be, and the last part of it."""
        parent, _, last = name.rpartition("/")
        if self._parent is None or self._parent[0] != parent:
            if parent:
                self._make_directories(parent)
            opened = open_beneath(self._top, parent or ".", _DIRECTORY)
            self._leave()
            self._parent = (parent, opened)
        return self._parent[1], last

    def _leave(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def _make_directories(self, name: str) -> None:
        try:
            os.close(open_beneath(self._top, name, _DIRECTORY))
            return
        except FileNotFoundError:
            pass
        parent, _, last = name.rpartition("/")
        if parent:
            self._make_directories(parent)
        directory = open_beneath(self._top, parent or ".", _DIRECTORY)
        try:
            os.mkdir(last, dir_fd=directory)
        finally:
            os.close(directory)

    def _begin_file(self, name: str, member: Member) -> None:
        directory, last = self._at(name)
        mode = member.mode & 0o777
        try:
            self._file = os.open(last, _NEW, mode, dir_fd=directory)
        except FileExistsError:
            os.unlink(last, dir_fd=directory)  # twice in the archive: the later one counts
            self._file = os.open(last, _NEW, mode, dir_fd=directory)
        self._file_left, self._file_time = member.size, member.modified_ns
        self._check_space(member.size)
        if not member.size:
            self._end_file()

    def _check_space(self, size: int) -> None:
        disk = os.fstatvfs(self._file)
        if disk.f_bavail * disk.f_frsize < size + self._limits.disk_reserve_bytes:
            raise DiskFull(
                f"{self._path!r}: the disk has no room for what is in the archive", path=self._path
            )

    def _write(self, data: bytes) -> None:
        with told(self._path):
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        self._file_left -= len(data)
        if not self._file_left:
            self._end_file()

    def _end_file(self) -> None:
        with contextlib.suppress(OSError, OverflowError):  # a time that the file system has not
            os.utime(self._file, ns=(self._file_time, self._file_time))
        os.close(self._file)
        self._file = -1

    def _link(self, name: str, target: str) -> bool:
        """Only one that stays inside, by its text; by where it leads it is looked at in the end."""
        if not _stays_inside(name, target):
            self._skipped.append(name)
            return False
        directory, last = self._at(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(last, dir_fd=directory)
        os.symlink(target, last, dir_fd=directory)
        self._links.append(name)
        return True

    def _hard_link(self, name: str, target: str) -> None:
        """To a file of this archive: there is nothing else where we are."""
        parent, _, last = target.rpartition("/")
        source = open_beneath(self._top, parent or ".", _DIRECTORY)
        try:
            if not stat.S_ISREG(os.lstat(last, dir_fd=source).st_mode):
                raise ArchiveInvalid(
                    f"{name!r} is a link to {target!r}, which is no file", member=name
                )
            directory, new = self._at(name)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=directory)
            os.link(last, new, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        finally:
            os.close(source)

    # The end

    def finish(self) -> dict[str, Any]:
        """Put all of it in its place; the members of an Unpacked.

        Raises:
            ArchiveInvalid: it is cut. NotAFile, NotADirectory: there is a directory where a file goes, or a file
                where a directory goes; nothing has been written then.
        """
        if self._gunzip is not None and not self._gunzip.eof:
            raise ArchiveInvalid("the archive is cut: the gzip does not end")
        self._tar.finish()
        self._leave()
        with told(self._path):
            self._remove_what_leads_out()
            if not self._is_put_whole():
                self._check_merge("")
                self._merge("")
        self.abort()
        told_paths = self._paths[:_TOLD_PATHS]
        return {
            "paths": told_paths,
            "truncated": len(self._paths) > _TOLD_PATHS,
            "skipped": self._skipped[:_TOLD_PATHS],
        }

    def _is_put_whole(self) -> bool:
        """Where there was no directory, by one renaming; unless somebody has made one meanwhile."""
        if not self._name:
            return False
        try:
            rename_to_new(self._base, self._scratch, self._base, self._name)
        except FileExistsError:
            self._target = open_beneath(self._base, self._name, _DIRECTORY)
            return False
        self._scratch = ""
        return True

    def _remove_what_leads_out(self) -> None:
        for name in self._links:
            try:
                os.close(open_beneath(self._top, name, O_PATH))
            except OSError as exc:
                if exc.errno in (errno.EXDEV, errno.ELOOP):
                    directory, last = self._at(name)
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(last, dir_fd=directory)
                    self._skipped.append(name)
        self._leave()

    def _check_merge(self, inside: str) -> None:
        for name, is_directory in self._names(inside):
            path = f"{inside}/{name}".lstrip("/")
            try:
                there = open_beneath(
                    self._target, path, O_PATH | (0 if is_directory else os.O_NOFOLLOW)
                )
            except FileNotFoundError:
                continue
            try:
                is_taken = stat.S_ISDIR(os.fstat(there).st_mode)
            finally:
                os.close(there)
            if is_directory and not is_taken:
                raise NotADirectory(f"{path!r} is there already and no directory", path=path)
            if is_taken and not is_directory:
                raise NotAFile(f"{path!r} is there already and a directory", path=path)
            if is_directory:
                self._check_merge(path)

    def _merge(self, inside: str) -> None:
        source = open_beneath(self._top, inside or ".", _DIRECTORY)
        try:
            target = open_beneath(self._target, inside or ".", _DIRECTORY)
            try:
                for name, is_directory in self._names(inside):
                    path = f"{inside}/{name}".lstrip("/")
                    if is_directory and self._is_there(path):
                        self._merge(path)
                    else:
                        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _is_there(self, path: str) -> bool:
        try:
            os.close(open_beneath(self._target, path, O_PATH))
        except FileNotFoundError:
            return False
        return True

    def _names(self, inside: str) -> list[tuple[str, bool]]:
        opened = open_beneath(self._top, inside or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(opened) as entries:
                return [(one.name, one.is_dir(follow_symlinks=False)) for one in entries]
        finally:
            os.close(opened)

    def abort(self) -> None:
        """Leave nothing behind. Does no harm after `finish` or a second time."""
        self._leave()
        for descriptor in (self._file, self._top):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._top = -1
        if self._scratch:
            with contextlib.suppress(OSError):
                remove_tree(self._base, self._scratch)
            self._scratch = ""
        for descriptor in (self._target, self._base):
            if descriptor >= 0:
                os.close(descriptor)
        self._target = self._base = -1

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._of_member(name, exc) from exc

    def _of_member(self, name: str, exc: OSError) -> SandboxAgentError:
        if exc.errno in (
            errno.EXDEV,
            errno.ELOOP,
            errno.ENOTDIR,
            errno.EISDIR,
            errno.ENOENT,
            errno.EEXIST,
        ):
            return ArchiveInvalid(
                f"{name!r} cannot be where the archive puts it: {exc.strerror}", member=name
            )
        return refused(f"{self._path.rstrip('/')}/{name}", exc)


def _stays_inside(name: str, target: str) -> bool:
    """As text: the directory of the link, and the parts of its target one by one."""
    if target.startswith("/") or not target or "\0" in target:
        return False
    depth = name.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return False
        elif part not in ("", "."):
            depth += 1
    return True


def _too_large(limit: str, value: int, what: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"the archive {what} than `{limit}` ({value})", limit=limit, value=value)
