"""The files `<directory>/.sandbox-agent/config/*.json`: read whole, written whole, and never through a link.

Whoever works in the directory can change what is there between any two looks. So every step goes down from an open
descriptor of the one before, and follows no link. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import (
    ConfigDamaged,
    InvalidRequest,
    PathForbidden,
    PathNotFound,
    PayloadTooLarge,
    SandboxAgentError,
    StorageError,
    Unavailable,
)

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.jsonio import loads

__all__ = ["FOLDERS", "change_entries", "read_entries", "resolve_directory"]

FOLDERS: Final = (".sandbox-agent", "config")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOCK_PATIENCE_S: Final = 10.0
_LOCK_POLL_S: Final = 0.02

Entries = dict[str, Any]


def resolve_directory(given: str, paths: Paths) -> Path:
    """The directory that a caller means, with links followed. A relative one is in the root, else in the server's own.

    Raises: what `Paths.resolve_directory` does.
    """
    if not given.strip():
        raise InvalidRequest("`directory` is missing: the directory whose sessions are configured")
    return paths.resolve_directory(given)


def read_entries(paths: Paths, directory: Path, name: str, *, max_bytes: int) -> Entries:
    """Name -> entry, as they are in the file `name`; empty where there is none.

    Raises: ConfigDamaged, PathForbidden, PayloadTooLarge, PathNotFound.
    """
    where = directory.joinpath(*FOLDERS, name)
    with _told_errors(where):
        try:
            with _folder(paths, directory, create=False) as folder:
                return _read(folder, name, where, max_bytes)
        except FileNotFoundError:
            return {}


def change_entries(
    paths: Paths,
    directory: Path,
    name: str,
    change: Callable[[Entries], bool],
    *,
    max_bytes: int,
) -> None:
    """Give the entries to `change`, and write them when it says that it changed them. Only one does so at a time, also
    of several servers.

    Raises: as `read_entries`, and StorageError, Unavailable: nothing has changed.
    """
    where = directory.joinpath(*FOLDERS, name)
    with _told_errors(where), _folder(paths, directory, create=True) as folder:
        _lock(folder, where)
        entries = _read(folder, name, where, max_bytes)
        if not change(entries):
            return
        text = json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > max_bytes:
            raise PayloadTooLarge(
                f"{str(where)!r} would have {len(data)} bytes, more than `max_config_bytes` ({max_bytes})",
                limit="max_config_bytes",
                value=max_bytes,
            )
        _replace(folder, name, data)


@contextlib.contextmanager
def _folder(paths: Paths, directory: Path, *, create: bool) -> Iterator[int]:
    """A descriptor of the folder with the files. Raises: FileNotFoundError when it is not to be made."""
    at = paths.open(str(directory), _DIRECTORY)
    try:
        for name in FOLDERS:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=at)
            inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _lock(folder: int, where: Path) -> None:
    """Until the descriptor is closed. Raises: Unavailable."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"another program holds a lock on {str(where.parent)!r}; try again"
                ) from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _read(folder: int, name: str, where: Path, max_bytes: int) -> Entries:
    try:
        # A pipe would wait for a writer.
        file = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except FileNotFoundError:
        return {}
    with open(file, "rb") as opened:  # noqa: PTH123 - a descriptor
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise PathForbidden(f"{str(where)!r} is not a regular file", path=str(where))
        data = opened.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise PayloadTooLarge(
            f"{str(where)!r} has more than `max_config_bytes` ({max_bytes})",
            limit="max_config_bytes",
            value=max_bytes,
        )
    if not data.strip():
        return {}
    try:
        entries = loads(data)
    except (ValueError, RecursionError) as exc:
        raise _damaged(where, f"it is no JSON ({exc})") from exc
    if not isinstance(entries, dict):
        raise _damaged(where, "it is no JSON object of names and entries")
    return entries


def _replace(folder: int, name: str, data: bytes) -> None:
    """Whole or not at all. Raises: OSError."""
    mode = 0o600  # it may hold keys
    with contextlib.suppress(OSError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o777
    scratch = f".{name}.{os.getpid()}.{time.monotonic_ns()}"
    file = os.open(
        scratch,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
        dir_fd=folder,
    )
    try:
        with open(file, "wb") as opened:  # noqa: PTH123 - a descriptor
            opened.write(data)
            opened.flush()
            os.fchmod(file, mode)
            os.fsync(file)
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch, dir_fd=folder)
        raise


def _damaged(where: Path, why: str) -> ConfigDamaged:
    return ConfigDamaged(
        f"{str(where)!r} cannot be read: {why}. Mend or remove it; nothing is written over it",
        path=str(where),
    )


@contextlib.contextmanager
def _told_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise _told(exc, str(where)) from exc


def _told(exc: Exception, shown: str) -> SandboxAgentError:
    """What the system says of a path, as ours."""
    number = exc.errno if isinstance(exc, OSError) else None
    if number in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        return PathForbidden(
            f"{shown!r}: a part of it is a link or no folder, and configuration is in neither",
            path=shown,
        )
    if number == errno.ENOENT:
        return PathNotFound(f"there is no {shown!r}", path=shown)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PathForbidden(f"{shown!r}: {os.strerror(number)}", path=shown)
    if number == errno.EXDEV:
        return PathForbidden(f"{shown!r} is not beneath the root of this server", path=shown)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE):
        return StorageError(f"{shown!r} cannot be written: {os.strerror(number)}")
    return InvalidRequest(f"{shown[:256]!r}: {exc}", path=shown)
