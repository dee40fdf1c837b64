"""Directories of this machine as a tar, and a tar as a directory of this machine. Blocks.

What a sandbox sends is not trusted: names that lead out are refused, links that lead out are left away, and no file is
written through a link.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from sandbox_agent_core.errors import ArchiveInvalid, FileSystemError, InvalidRequest
from sandbox_agent_core.tar_reader import BLOCK, Member, TarReader

__all__ = ["LocalTree", "TreeWriter"]

_PIECE: Final = 1024 * 1024
_END: Final = b"\0" * (2 * BLOCK)


@dataclass(frozen=True, slots=True)
class LocalTree:
    """Everything below a directory, in the order in which it is packed."""

    root: Path
    names: list[str]
    size: int
    """Bytes of all files."""
    left_out: list[str] = field(default_factory=list)
    """Sockets, FIFOs and devices."""

    @classmethod
    def at(cls, root: Path) -> LocalTree:
        """Raises: OSError."""
        names, left_out, size = [], [], 0
        for directory, directories, files in os.walk(root, onerror=_raise):
            directories.sort()
            here = os.path.relpath(directory, root)
            for name in sorted([*directories, *files]):
                inside = name if here == "." else f"{here}/{name}"
                status = os.lstat(root / inside)
                if stat.S_ISREG(status.st_mode):
                    size += status.st_size
                elif not stat.S_ISDIR(status.st_mode) and not stat.S_ISLNK(status.st_mode):
                    left_out.append(inside)
                    continue
                names.append(inside)
        return cls(root, names, size, left_out)

    def packed(self) -> Iterator[tuple[bytes, int]]:
        """Pieces of a tar, and how many bytes of files are in each.

        Raises:
            InvalidRequest: a file was changed meanwhile. OSError.
        """
        for name in self.names:
            yield from self._member(name)
        yield _END, 0

    def _member(self, name: str) -> Iterator[tuple[bytes, int]]:
        path = self.root / name
        status = os.lstat(path)
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = stat.S_IMODE(status.st_mode), max(0, int(status.st_mtime))
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        elif stat.S_ISDIR(status.st_mode):
            info.type = tarfile.DIRTYPE
        else:
            info.size = status.st_size
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), 0
        if info.size:
            with path.open("rb") as file:
                yield from _contents(file, info.size, path)


def _contents(file: IO[bytes], size: int, path: Path) -> Iterator[tuple[bytes, int]]:
    left = size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise InvalidRequest(f"{str(path)!r} became shorter while it was uploaded")
        left -= len(piece)
        yield piece, len(piece)
    yield b"\0" * (-size % BLOCK), 0


def _raise(error: OSError) -> None:
    raise error


class TreeWriter:
    """A tar that arrives, beside the directory that it becomes. `finish` or `abort` ends it."""

    def __init__(self, target: Path) -> None:
        """Raises: OSError."""
        self._target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        # Nobody else writes here, and links are made last: until then a name is where it says.
        self._scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", dir=target.parent))
        self._tar = TarReader()
        self._file: IO[bytes] | None = None
        self._left = 0
        self._links: list[tuple[str, str]] = []
        self.left_away: list[str] = []
        """Links that lead out of the directory."""

    def feed(self, data: bytes) -> int:
        """How many bytes of files were in it. Raises: ArchiveInvalid, OSError."""
        size = 0
        for what in self._tar.feed(data):
            if isinstance(what, Member):
                self._begin(what)
            elif self._file is not None:
                self._file.write(what)
                size += len(what)
                self._left -= len(what)
                if not self._left:
                    self._file.close()
                    self._file = None
        return size

    def _begin(self, member: Member) -> None:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if member.name.startswith("/") or ".." in parts or "\0" in member.name:
            raise ArchiveInvalid(
                f"the sandbox sent {member.name!r}, which leads out of the directory"
            )
        if not parts:
            return
        path = self._scratch.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        match member.kind:
            case "directory":
                path.mkdir(exist_ok=True)
            case "file":
                opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, member.mode & 0o777)
                self._file, self._left = os.fdopen(opened, "wb"), member.size
                if not member.size:
                    self._file.close()
                    self._file = None
            case "symlink":
                self._links.append(("/".join(parts), member.target))
            case "hard link":
                raise ArchiveInvalid(f"the sandbox sent {member.name!r}, a hard link")

    def finish(self) -> None:
        """Put it in its place; what is there already is kept, or replaced by what has come.

        Raises:
            ArchiveInvalid: it is cut. FileSystemError: a file is where a directory goes, or the other way round.
        """
        self._tar.finish()
        for name, target in self._links:
            self._link(name, target)
        if self._target.is_symlink() or self._target.exists():
            _merge(self._scratch, self._target)
            self.abort()
        else:
            # mkdtemp made it for us alone; a directory is for whom the umask lets.
            Path(self._scratch).chmod(0o777 & ~_umask())
            self._scratch.rename(self._target)

    def _link(self, name: str, target: str) -> None:
        path = self._scratch / name
        real = Path(os.path.realpath(path.parent / target))
        if target.startswith("/") or not real.is_relative_to(os.path.realpath(self._scratch)):
            self.left_away.append(name)
            return
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(target)

    def abort(self) -> None:
        """Leave nothing behind. Does no harm after `finish`."""
        if self._file is not None:
            self._file.close()
            self._file = None
        shutil.rmtree(self._scratch, ignore_errors=True)


def _merge(source: Path, target: Path) -> None:
    for one in list(source.iterdir()):
        there = target / one.name
        is_directory = one.is_dir() and not one.is_symlink()
        if is_directory and there.is_dir() and not there.is_symlink():
            _merge(one, there)
        elif os.path.lexists(there) and (
            is_directory or (there.is_dir() and not there.is_symlink())
        ):
            raise FileSystemError(
                f"{str(there)!r} is there already, and {'no ' if is_directory else 'a '}directory"
            )
        else:
            one.replace(there)


def _umask() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before
