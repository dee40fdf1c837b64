"""A file that is written whole or not at all: under another name in the same directory, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox_agent_core.errors import DiskFull, FileChanged, NotAFile, PathExists

from sandbox_agent_server.host.files.entries import etag_of, kind_of
from sandbox_agent_server.host.files.paths import Paths, Place
from sandbox_agent_server.host.files.renaming import rename_to_new, scratch_name
from sandbox_agent_server.host.files.told import told

__all__ = ["Replacement", "WriteOptions", "Written"]

_IOV_MAX: Final = 512
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    mode: int | None = None
    """Permissions. Default: those of the file that is replaced, else what the umask leaves of 0666."""
    overwrite: bool = True
    if_match: str | None = None
    """The etag that the file has to have; `*`: any."""


@dataclass(frozen=True, slots=True)
class Written:
    path: str
    size: int
    etag: str


class Replacement:
    """Its methods block. `commit` or `abort` ends it; nothing is seen at the path before."""

    def __init__(
        self, paths: Paths, path: str, options: WriteOptions, *, reserve_bytes: int = 0
    ) -> None:
        """Makes the directories above, and a file beside the one to come. A link is followed to what it names.

        Raises:
            NotAFile, PathExists, FileChanged: as `options` say. DiskFull. PathForbidden, NotADirectory.
        """
        self._path = path
        self._options = options
        self._reserve_bytes = reserve_bytes
        self._size = 0
        self._descriptor = -1
        self._scratch = scratch_name()
        with contextlib.ExitStack() as stack, told(path):
            self._place: Place = stack.enter_context(paths.place(path, make=True, follow=True))
            there = self._check()
            # What is replaced may be secret: nobody else reads the new one before it has the same mode.
            is_plain = there is None and options.mode is None
            self._descriptor = os.open(
                self._scratch, _NEW, 0o666 if is_plain else 0o600, dir_fd=self._place.directory
            )
            self._stack = stack.pop_all()

    def _check(self) -> os.stat_result | None:
        """What is there now. Raises: NotAFile, PathExists, FileChanged."""
        path, wanted = self._path, self._options.if_match
        try:
            there = os.lstat(self._place.name, dir_fd=self._place.directory)
        except FileNotFoundError:
            if wanted is not None:
                raise FileChanged(f"there is no file at {path!r} any more", path=path) from None
            return None
        if not stat.S_ISREG(there.st_mode):
            raise NotAFile(f"{path!r} is not a file: it is a {kind_of(there.st_mode)}", path=path)
        if not self._options.overwrite:
            raise PathExists(f"there is a file at {path!r} already", path=path)
        if wanted not in (None, "*", etag := etag_of(there)):
            raise FileChanged(f"{path!r} was written by somebody else", path=path, etag=etag)
        return there

    def write(self, pieces: Sequence[bytes]) -> None:
        """Raises: DiskFull, FileSystemError."""
        with told(self._path):
            self._check_space(sum(map(len, pieces)))
            for start in range(0, len(pieces), _IOV_MAX):
                self._write_all(pieces[start : start + _IOV_MAX])

    def _check_space(self, size: int) -> None:
        if not self._reserve_bytes:
            return
        disk = os.fstatvfs(self._descriptor)
        if disk.f_bavail * disk.f_frsize < size + self._reserve_bytes:
            raise DiskFull(
                f"{self._path!r}: the disk would have less than {self._reserve_bytes} bytes left, which the server "
                "keeps for itself",
                path=self._path,
                limit="disk_reserve_bytes",
                value=self._reserve_bytes,
            )

    def _write_all(self, pieces: Sequence[bytes]) -> None:
        size = sum(map(len, pieces))
        written = os.writev(self._descriptor, pieces)
        while written < size:  # a signal, or nearly full
            rest = memoryview(b"".join(pieces))[written:]
            written += os.write(self._descriptor, rest)
        self._size += size

    def commit(self) -> Written:
        """Put it in its place.

        Raises:
            PathExists, FileChanged, NotAFile: somebody was faster. DiskFull, FileSystemError.
        """
        place, scratch = self._place, self._scratch
        with told(self._path):
            there = self._check()
            self._take_over(there)
            if self._options.overwrite:
                os.rename(
                    scratch, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory
                )
            else:
                rename_to_new(place.directory, scratch, place.directory, place.name)
            self._scratch = ""
            written = Written(self._path, self._size, etag_of(os.fstat(self._descriptor)))
        self.abort()
        return written

    def _take_over(self, there: os.stat_result | None) -> None:
        mode = self._options.mode
        if there is not None:
            mine = os.fstat(self._descriptor)
            if (there.st_uid, there.st_gid) != (mine.st_uid, mine.st_gid):
                try:
                    os.fchown(self._descriptor, there.st_uid, there.st_gid)
                except OSError as exc:
                    if exc.errno != errno.EPERM:  # as an editor: it is the writer's then
                        raise
            # As the kernel does on a write: what was set for other contents (set-user-id) does not stay.
            mode = there.st_mode & 0o777 if mode is None else mode
        if mode is not None:
            os.fchmod(self._descriptor, mode)

    def abort(self) -> None:
        """Leave nothing behind. Does no harm after `commit` or a second time."""
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        if self._scratch:
            with contextlib.suppress(OSError):
                os.unlink(self._scratch, dir_fd=self._place.directory)
        self._stack.close()
