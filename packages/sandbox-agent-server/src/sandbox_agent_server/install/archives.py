"""Unpacks an archive from anywhere, a tar or a zip, as it is. Only files and directories in it are taken."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from sandbox_agent_core.errors import InstallFailed

from sandbox_agent_server.install.unpacking import MAX_DEPTH, MAX_FILES

__all__ = ["unpack_archive"]

_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    is_file: bool
    is_directory: bool
    is_executable: bool
    content: IO[bytes] | None


def unpack_archive(archive: Path, target: Path, *, max_bytes: int) -> None:
    """Into `target`, which exists.

    Raises: InstallFailed: it is damaged, too large, or holds links or what would be outside.
    """
    room = max_bytes
    try:
        for count, member in enumerate(_members(archive), start=1):
            if count > MAX_FILES:
                raise InstallFailed(f"The archive holds more than {MAX_FILES} files.")
            path = _place(target, member)
            if member.content is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            room = _write(member.content, path, room, max_bytes)
            path.chmod(0o755 if member.is_executable else 0o644)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
    ) as exc:
        raise InstallFailed(f"The archive cannot be unpacked: {exc}") from exc


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                mode = info.external_attr >> 16
                is_file = not info.is_dir() and stat.S_IFMT(mode) in (0, stat.S_IFREG)
                content = packed.open(info) if is_file else None
                yield _Member(info.filename, is_file, info.is_dir(), bool(mode & 0o100), content)
        return
    with tarfile.open(archive, "r:*") as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() else None
            is_executable = bool(entry.mode & 0o100)
            yield _Member(entry.name, entry.isreg(), entry.isdir(), is_executable, content)


def _place(target: Path, member: _Member) -> Path:
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\0" in member.name or "\\" in member.name:
        raise InstallFailed(f"The archive holds {member.name!r}, which is outside of it: refused.")
    if not member.is_file and not member.is_directory:
        raise InstallFailed(f"The archive holds {member.name!r}, which is no file: refused.")
    if len(parts) > MAX_DEPTH:
        raise InstallFailed(f"The archive is more than {MAX_DEPTH} directories deep: refused.")
    return target.joinpath(*parts)


def _write(source: IO[bytes], path: Path, room: int, max_bytes: int) -> int:
    with source, path.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            room -= len(chunk)
            if room < 0:
                raise InstallFailed(
                    f"The archive unpacks to more than {max_bytes} bytes. Raise the limit "
                    "`max_install_bytes` if that is right.",
                    limit="max_install_bytes",
                    value=max_bytes,
                )
            file.write(chunk)
    return room
