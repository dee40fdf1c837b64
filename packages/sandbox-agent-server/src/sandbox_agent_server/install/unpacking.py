"""Unpacks a package. Its archive comes from elsewhere, so nothing in it is trusted.

npm packs files and directories only. Whatever else is in an archive is refused, which leaves no
link to follow out of the directory; that is stricter than Python's own `filter="data"`.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Final

from sandbox_agent_core.errors import InstallFailed

__all__ = ["MAX_DEPTH", "MAX_FILES", "MAX_HEADER_BYTES", "unpack"]

MAX_FILES: Final = 100_000
"""Entries of one archive."""
MAX_DEPTH: Final = 64
"""Directories in each other."""
MAX_HEADER_BYTES: Final = 256 * 1024
"""What an archive says of one file beside its content; it is held in memory."""
_CHUNK_BYTES: Final = 64 * 1024


def unpack(
    archive: Path, target: Path, *, max_bytes: int, on_bytes: Callable[[int], None] | None = None
) -> None:
    """The content of the archive's one top directory goes into `target`, which must not exist.

    `on_bytes` is told of every piece that was written; what it raises stops the unpacking. Files are
    on the disk when this returns.

    Raises:
        InstallFailed: it is damaged, holds more than `max_bytes`, or something that no package has.
    """
    target.mkdir(parents=True)
    room = max_bytes
    try:
        with _Bounded(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
            count = 0
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would remember all of them
                room -= member.size
                count += 1
                if room < 0 or count > MAX_FILES:
                    raise InstallFailed(
                        f"{archive.name} unpacks to more than {max_bytes} bytes or {MAX_FILES} files. "
                        "Raise the limit `max_install_bytes` if that is right.",
                        limit="max_install_bytes",
                        value=max_bytes,
                    )
                _unpack_member(tar, member, target, archive.name, on_bytes)
    except RecursionError:
        raise InstallFailed(
            f"{archive.name} holds headers of headers without end: refused."
        ) from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise InstallFailed(f"{archive.name} cannot be unpacked: {exc.strerror}") from exc
        raise InstallFailed(
            f"{archive.name} is no gzipped tar archive, or is damaged: {exc}"
        ) from exc


def _unpack_member(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    target: Path,
    archive: str,
    on_bytes: Callable[[int], None] | None,
) -> None:
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\0" in member.name:
        raise InstallFailed(f"{archive} holds {member.name!r}, which is outside of it: refused.")
    if not member.isreg() and not member.isdir():
        raise InstallFailed(f"{archive} holds {member.name!r}, which is no file: refused.")
    if len(parts) > MAX_DEPTH:
        raise InstallFailed(
            f"{archive} holds {member.name[:64]!r}…, {len(parts)} directories deep: refused."
        )
    path = target.joinpath(*parts[1:])
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    if len(parts) < 2:
        raise InstallFailed(f"{archive} holds {member.name!r} beside its directory: refused.")
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    mode = 0o755 if member.mode & 0o100 else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with source, os.fdopen(descriptor, "wb") as file:
        _copy(source, file, on_bytes)


class _Bounded(gzip.GzipFile):
    """An archive of which nothing is read in one piece that is larger than it may be: `tarfile` would hold a
    header of any size in memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise InstallFailed(f"a header of the archive has {size} bytes: refused.")
        return super().read(size)


def _copy(source: IO[bytes], file: IO[bytes], on_bytes: Callable[[int], None] | None) -> None:
    while chunk := source.read(_CHUNK_BYTES):
        file.write(chunk)
        if on_bytes is not None:
            on_bytes(len(chunk))
    file.flush()
    os.fsync(file.fileno())
