"""Files of this machine on their way to and from a sandbox. Blocks."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from sandbox_agent_core.api.files import FileStat
from sandbox_agent_core.errors import InvalidRequest

__all__ = ["PartFile", "pieces_of"]

_PIECE: Final = 1024 * 1024


def pieces_of(content: IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    """Of a binary file that is open, or of anything that has bytes; none is empty.

    Raises: InvalidRequest: they are no bytes.
    """
    read = getattr(content, "read", None)
    pieces = iter(lambda: read(_PIECE), b"") if read is not None else iter(content)
    for piece in pieces:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise InvalidRequest(
                f"the contents of a file are bytes, not {type(piece).__name__}: open it in binary mode"
            )
        if piece:
            yield bytes(piece)


class PartFile:
    """What has come of a file, beside its target. It stays when it is not finished, and goes on in the next attempt
    if it is a part of the same file."""

    def __init__(self, target: Path, of: FileStat) -> None:
        """Raises: OSError."""
        self._target = target
        self._mode = None if of.mode is None else int(of.mode, 8) & 0o777
        self._is_kept = of.etag is not None
        told = hashlib.sha256(f"{of.path} {of.etag} {of.size}".encode("utf-8", "surrogatepass"))
        name = f".{target.name[:100]}.{told.hexdigest()[:12]}.part"
        self._part = target.with_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file = os.fdopen(os.open(self._part, flags, 0o600), "r+b", buffering=0)
        self._is_finished = False
        self.size = self._file.seek(0, os.SEEK_END) if self._is_kept else 0
        if not self._is_kept or self.size > of.size:
            self.restart()

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) or 0 :]
        self.size += len(piece)

    def finish(self) -> None:
        """Put it in its place: through a link, to what it leads to."""
        target = Path(os.path.realpath(self._target))
        mode = target.stat().st_mode & 0o777 if target.exists() else self._new_mode()
        os.fchmod(self._file.fileno(), mode)
        self._part.replace(target)
        self._is_finished = True

    def _new_mode(self) -> int:
        before = os.umask(0o077)
        os.umask(before)
        return (0o666 if self._mode is None else self._mode) & ~before

    def close(self) -> None:
        self._file.close()
        if not self._is_finished and (not self._is_kept or not self.size):
            with contextlib.suppress(OSError):
                self._part.unlink()
