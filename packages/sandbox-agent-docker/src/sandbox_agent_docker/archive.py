"""Files as Docker's archive calls want and give them: tar, in memory."""

from __future__ import annotations

import io
import tarfile
import time
from dataclasses import dataclass

__all__ = ["Owner", "directory_archive", "file_archive", "only_file"]


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int
    gid: int


def file_archive(name: str, content: bytes, *, mode: int, owner: Owner) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    return _archive(entry, content, mode, owner)


def directory_archive(name: str, *, mode: int, owner: Owner) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return _archive(entry, b"", mode, owner)


def only_file(archive: bytes) -> bytes:
    """The content of the first regular file."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            if (file := tar.extractfile(entry)) is not None:
                return file.read()
    return b""


def _archive(entry: tarfile.TarInfo, content: bytes, mode: int, owner: Owner) -> bytes:
    entry.mode, entry.uid, entry.gid = mode, owner.uid, owner.gid
    entry.mtime = int(time.time())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
