"""What the system says of a path, as errors of ours: the one place where `OSError` is translated."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Final

from sandbox_agent_core.errors import (
    DirectoryNotEmpty,
    DiskFull,
    FileSystemError,
    InvalidRequest,
    NotADirectory,
    NotAFile,
    PathExists,
    PathForbidden,
    PathNotFound,
    SandboxAgentError,
    Unavailable,
)

__all__ = ["refused", "told"]

_CLASSES: Final[dict[int, tuple[Callable[..., SandboxAgentError], str]]] = {
    errno.ENOENT: (PathNotFound, "there is nothing at {path!r}"),
    errno.ENOTDIR: (NotADirectory, "{path!r}: a part of the path is no directory"),
    errno.EISDIR: (NotAFile, "{path!r} is a directory"),
    errno.ENXIO: (NotAFile, "{path!r} is a device, socket or FIFO"),
    errno.EEXIST: (PathExists, "there is something at {path!r} already"),
    errno.ENOTEMPTY: (DirectoryNotEmpty, "{path!r} is not empty; say `recursive=true`"),
    errno.EXDEV: (PathForbidden, "{path!r} leads out of the root of this server"),
    errno.EACCES: (PathForbidden, "{path!r}: the server may not go there"),
    errno.EPERM: (PathForbidden, "{path!r}: the server may not do that"),
    errno.EROFS: (PathForbidden, "{path!r} is on a read-only file system"),
    errno.ELOOP: (InvalidRequest, "{path!r}: too many symbolic links"),
    errno.ENAMETOOLONG: (InvalidRequest, "{path!r}: the name is too long"),
    errno.EINVAL: (InvalidRequest, "{path!r}: the file system does not take it"),
    errno.EILSEQ: (InvalidRequest, "{path!r}: the file system does not take such a name"),
    errno.ENOSPC: (DiskFull, "{path!r}: no space is left"),
    errno.EDQUOT: (DiskFull, "{path!r}: the quota is used up"),
    errno.EMFILE: (Unavailable, "{path!r}: too many files are open; try again"),
    errno.ENFILE: (Unavailable, "{path!r}: too many files are open; try again"),
}


@contextlib.contextmanager
def told(path: str) -> Iterator[None]:
    """Raises: what `refused` makes of an OSError inside."""
    try:
        yield
    except OSError as exc:
        raise refused(path, exc) from exc


def refused(path: str, exc: OSError) -> SandboxAgentError:
    known = _CLASSES.get(exc.errno or 0)
    if known is None:
        return FileSystemError(f"{path!r}: {exc.strerror or exc}", path=path)
    error, message = known
    return error(message.format(path=path), path=path)
