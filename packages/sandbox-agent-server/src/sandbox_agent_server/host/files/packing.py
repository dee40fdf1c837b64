"""A directory as a tar, made while it is sent: from descriptors, a piece at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from typing import Final

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.renaming import is_scratch
from sandbox_agent_server.host.files.told import told

__all__ = ["Packing"]

_PIECE: Final = 1024 * 1024
_BLOCK: Final = 512
_END: Final = b"\0" * (2 * _BLOCK)
_GZIP_LEVEL: Final = 1
"""The network is seldom slower than more of it would be."""
_MAX_REMARKS: Final = 1000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Packing:
    """Links are packed as links; sockets, FIFOs, devices and what may not be read are left out. A file that changes
    while it is read gets the length that was said of it: cut, or filled with zeros. Both are told at the end, in a comment
    of the directory itself (`left out: …`, `changed: …`).
    """

    def __init__(self, paths: Paths, path: str, *, is_gzip: bool) -> None:
        """Raises: PathNotFound, NotADirectory, PathForbidden."""
        self._path = path
        self._remarks: list[str] = []
        self._way: list[int] = []
        with paths.directory(path) as opened, told(path):
            self._way.append(os.open(".", _DIRECTORY, dir_fd=opened))
        self._gzip = zlib.compressobj(_GZIP_LEVEL, wbits=31) if is_gzip else None
        self._pieces = self._made()

    def read(self) -> bytes:
        """The next piece, empty at the end. Raises: FileSystemError."""
        with told(self._path):
            return next(self._pieces, b"")

    def close(self) -> None:
        """Does no harm a second time."""
        self._pieces.close()  # type: ignore[attr-defined]
        while self._way:
            os.close(self._way.pop())

    def _made(self) -> Iterator[bytes]:
        held: list[bytes] = []
        size = 0
        for piece in self._packed():
            held.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(held)
                held.clear()
                size = 0
        yield b"".join(held)

    def _packed(self) -> Iterator[bytes]:
        if self._gzip is None:
            yield from self._tar()
            return
        for piece in self._tar():
            if packed := self._gzip.compress(piece):
                yield packed
        yield self._gzip.flush()

    def _tar(self) -> Iterator[bytes]:
        status = os.fstat(self._way[0])
        yield from self._directory(self._way[0], "")
        if self._remarks:
            # A header with nothing behind it is an error to some: it is one of the directory itself.
            yield _header("./", status, tarfile.DIRTYPE, comment="\n".join(self._remarks))
        yield _END

    def _directory(self, top: int, prefix: str) -> Iterator[bytes]:
        """Not by calling itself: a tree may be deeper than Python's stack."""
        todo = [(prefix, iter(_names(top)))]
        while todo:
            prefix, names = todo[-1]
            name = next(names, None)
            if name is None:
                todo.pop()
                if len(self._way) > 1:
                    os.close(self._way.pop())
                continue
            inside = prefix + name
            try:
                status = os.lstat(name, dir_fd=self._way[-1])
                if stat.S_ISDIR(status.st_mode):
                    below = os.open(name, _DIRECTORY, dir_fd=self._way[-1])
                    self._way.append(below)
                    todo.append((inside + "/", iter(_names(below))))
                    yield _header(inside + "/", status, tarfile.DIRTYPE)
                elif stat.S_ISLNK(status.st_mode):
                    target = os.readlink(name, dir_fd=self._way[-1])
                    yield _header(inside, status, tarfile.SYMTYPE, target)
                elif stat.S_ISREG(status.st_mode):
                    yield from self._file(name, inside)
                else:
                    self._remark(f"left out: {inside}")
            except OSError as exc:
                if exc.errno in (errno.EIO, errno.EMFILE, errno.ENFILE):
                    raise
                # Not ours to read, or gone by now.
                self._remark(f"left out: {inside}: {exc.strerror}")

    def _file(self, name: str, inside: str) -> Iterator[bytes]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(name, flags, dir_fd=self._way[-1])
        try:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                self._remark(f"left out: {inside}")
                return
            yield _header(inside, status, tarfile.REGTYPE)
            left = status.st_size
            while left:
                piece = _read(opened, min(left, _PIECE))
                if not piece:
                    self._remark(f"changed: {inside}")
                    yield from _zeros(left)
                    break
                left -= len(piece)
                yield piece
            yield b"\0" * (-status.st_size % _BLOCK)
            if os.fstat(opened).st_mtime_ns != status.st_mtime_ns and not left:
                self._remark(f"changed: {inside}")
        finally:
            os.close(opened)

    def _remark(self, text: str) -> None:
        if len(self._remarks) < _MAX_REMARKS:
            self._remarks.append(text.replace("\n", "?"))


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if not is_scratch(entry.name))


def _header(
    name: str, status: os.stat_result, kind: bytes, target: str = "", *, comment: str = ""
) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    info.size = status.st_size if kind == tarfile.REGTYPE else 0
    info.mode = stat.S_IMODE(status.st_mode)
    info.mtime = max(0, int(status.st_mtime))
    info.uid, info.gid = status.st_uid, status.st_gid
    if comment:
        info.pax_headers = {"comment": comment}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _read(descriptor: int, size: int) -> bytes:
    # An error in the midst of a file cannot be told any more: what is missing is said to be.
    with contextlib.suppress(OSError):
        return os.read(descriptor, size)
    return b""


def _zeros(size: int) -> Iterator[bytes]:
    while size:
        piece = b"\0" * min(size, _PIECE)
        size -= len(piece)
        yield piece
