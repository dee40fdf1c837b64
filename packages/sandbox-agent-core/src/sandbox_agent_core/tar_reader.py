"""A tar as it arrives: bytes in, members and their contents out. No I/O, and nothing is held but a header.

`tarfile` parses the blocks. It does not read the stream, because it reads extended headers whole into memory, expands
sparse files, and takes an archive that is cut between two members for a whole one.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sandbox_agent_core.errors import ArchiveInvalid

__all__ = ["BLOCK", "Member", "TarReader"]

BLOCK: Final = 512
_MAX_EXTENDED_BYTES: Final = 1024 * 1024
"""Of an extended header, which has a name and a few facts."""
_MAX_EXTENDED_TOTAL: Final = 16
"""Extended headers before one member."""
_ZEROS: Final = b"\0" * BLOCK
_KINDS: Final[dict[bytes, Literal["file", "directory", "symlink", "hard link"]]] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hard link",
}
_EXTENDED: Final = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    """As it is written in the archive."""
    kind: Literal["file", "directory", "symlink", "hard link"]
    size: int
    mode: int
    modified_ns: int
    target: str


class TarReader:
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the current contents that are to come."""
        self._padding = 0
        self._extended: tarfile.TarInfo | None = None
        self._extensions = 0
        self._next: dict[str, str] = {}
        """What extended headers say of the next member."""
        self.is_ended = False

    def feed(self, data: bytes) -> Iterator[Member | bytes]:
        """A member, then its contents in pieces. Raises: ArchiveInvalid."""
        view = memoryview(data)
        while view:
            if self.is_ended:
                return  # what pads the last record
            if self._left and self._extended is None:
                piece, view = view[: self._left], view[self._left :]
                self._left -= len(piece)
                yield bytes(piece)
            elif self._padding:
                skipped = min(self._padding, len(view))
                self._padding -= skipped
                view = view[skipped:]
            else:
                wanted = (self._left if self._extended is not None else BLOCK) - len(self._buffer)
                self._buffer += view[:wanted]
                view = view[wanted:]
                if len(self._buffer) < (self._left or BLOCK):
                    return
                block = bytes(self._buffer)
                self._buffer.clear()
                yield from self._take(block)

    def finish(self) -> None:
        """Raises: ArchiveInvalid when the end has not come."""
        if not self.is_ended:
            raise ArchiveInvalid("the archive is cut: its end is missing")

    def _take(self, block: bytes) -> Iterator[Member]:
        if self._extended is not None:
            self._note(self._extended, block)
            self._extended, self._left, self._padding = None, 0, -len(block) % BLOCK
            return
        if block == _ZEROS:
            self.is_ended = True
            return
        header = self._header(block)
        size = header.size
        if header.type in _EXTENDED:
            self._extensions += 1
            if size > _MAX_EXTENDED_BYTES or self._extensions > _MAX_EXTENDED_TOTAL:
                raise ArchiveInvalid(
                    f"an extended header of the archive has {size} bytes; {_MAX_EXTENDED_BYTES} are read"
                )
            if size:
                self._extended, self._left = header, size
            return
        yield self._member(header)

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError, OverflowError) as exc:
            raise ArchiveInvalid(f"this is no tar, or a damaged one: {exc}") from exc
        if header.size < 0:
            raise ArchiveInvalid(f"{header.name!r} has a size below 0", member=header.name)
        return header

    def _member(self, header: tarfile.TarInfo) -> Member:
        said, self._next, self._extensions = self._next, {}, 0
        name = said.get("path", header.name)
        kind = _KINDS.get(header.type)
        if kind is None or any(key.startswith("GNU.sparse") for key in said):
            raise ArchiveInvalid(
                f"{name!r} is neither file, directory nor link: such members are not unpacked",
                member=name,
            )
        size = _number(said.get("size"), header.size) if kind == "file" else 0
        if size < 0:
            raise ArchiveInvalid(f"{name!r} has a size below 0", member=name)
        self._left, self._padding = size, -size % BLOCK
        return Member(
            name=name,
            kind=kind,
            size=size,
            mode=header.mode,
            modified_ns=int(_number(said.get("mtime"), header.mtime)) * 1_000_000_000,
            target=said.get("linkpath", header.linkname),
        )

    def _note(self, header: tarfile.TarInfo, block: bytes) -> None:
        text = block.decode("utf-8", "surrogateescape")
        if header.type == tarfile.GNUTYPE_LONGNAME:
            self._next["path"] = text.rstrip("\0")
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            self._next["linkpath"] = text.rstrip("\0")
        elif header.type != tarfile.XGLTYPE:  # of all members: comments, as a rule
            self._next |= dict(_records(block))


def _records(block: bytes) -> Iterator[tuple[str, str]]:
    """`LENGTH KEY=VALUE\\n`, the length counting all of it. Raises: ArchiveInvalid."""
    at = 0
    while at < len(block) and block[at] != 0:
        space = block.find(b" ", at, at + 20)
        digits = block[at:space] if space > 0 else b""
        end = at + int(digits) if digits.isdigit() else 0
        record = block[space + 1 : end - 1]
        key, equals, value = record.partition(b"=")
        if not (space < end <= len(block)) or not equals or block[end - 1 : end] != b"\n":
            raise ArchiveInvalid("an extended header of the archive is damaged")
        yield key.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        at = end


def _number(said: str | None, otherwise: float) -> int:
    if said is None:
        return int(otherwise)
    try:
        number = int(float(said)) if "." in said else int(said)
    except (ValueError, OverflowError) as exc:
        raise ArchiveInvalid(f"{said[:64]!r} in an extended header is no number") from exc
    return number
