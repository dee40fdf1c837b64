"""Files as Docker's archive calls want and give them: tar, in memory."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "ENTRY_BYTES",
    "Owner",
    "directory_archive",
    "file_archive",
    "files_archive",
    "only_file",
    "owner_of_directory",
]

ENTRY_BYTES = tarfile.BLOCKSIZE
"""The head of one entry, without a name that is very long."""


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int
    gid: int


def file_archive(name: str, content: bytes, *, mode: int, owner: Owner) -> bytes:
    return files_archive({name: content}, mode=mode, owner=owner)


def files_archive(contents: Mapping[str, bytes], *, mode: int, owner: Owner) -> bytes:
    return _archive(
        [(tarfile.TarInfo(name), content) for name, content in contents.items()], mode, owner
    )


def directory_archive(name: str, *, mode: int, owner: Owner) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return _archive([(entry, b"")], mode, owner)


def only_file(archive: bytes) -> bytes:
    """The content of the first regular file."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            if (file := tar.extractfile(entry)) is not None:
                return file.read()
    return b""


def owner_of_directory(head: bytes) -> Owner | None:
    """Of the directory that an archive begins with."""
    try:
        entry = tarfile.TarInfo.frombuf(head[:ENTRY_BYTES], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    return Owner(entry.uid, entry.gid) if entry.isdir() else None


def _archive(entries: Sequence[tuple[tarfile.TarInfo, bytes]], mode: int, owner: Owner) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry, content in entries:
            entry.size, entry.mode, entry.mtime = len(content), mode, int(time.time())
            entry.uid, entry.gid = owner.uid, owner.gid
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
