"""The files of a workspace, as far as our own hands reach: never outside it, written whole or not at all.

This is no sandbox for the agent, which has hands of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import (
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    SandboxAgentError,
)
from sandbox_agent_core.frames import acp

__all__ = ["FILE_METHODS", "Workspace"]

FILE_METHODS: Final = frozenset({acp.FS_READ_TEXT_FILE, acp.FS_WRITE_TEXT_FILE})


class Workspace:
    """Its methods block."""

    def __init__(self, root: str, *, additional: Sequence[str] = (), max_file_bytes: int) -> None:
        """`additional`: directories that are as the workspace."""
        self._roots = [Path(root), *map(Path, additional)]
        self._max_file_bytes = max_file_bytes

    def answer(self, method: str, params: Any, *, may_write: bool) -> dict[str, Any]:
        """The result of ACP's `fs/read_text_file` or `fs/write_text_file`.

        We do not offer them, since an agent runs where its files are, but some agents ask all the same.

        Raises:
            PermissionDenied: outside the workspace, or a write that the mode of the session forbids.
            InvalidRequest: no absolute path, no text, or not UTF-8. NotFound. PayloadTooLarge.
        """
        given = params if isinstance(params, Mapping) else {}
        path = self.inside(given.get("path"))
        if method == acp.FS_READ_TEXT_FILE:
            line, limit = given.get("line"), given.get("limit")
            return {"content": self.read_text(path, line=line, limit=limit)}
        if not may_write:
            raise PermissionDenied(
                f"{str(path)!r} is not written: the session is read-only", path=str(path)
            )
        self.write_text(path, given.get("content"))
        return {}

    def inside(self, path: Any) -> Path:
        """With every link followed: what a link points to counts, not where the link is.

        Raises:
            InvalidRequest: it is no absolute path. PermissionDenied: it is outside.
        """
        if not isinstance(path, str) or not Path(path).is_absolute() or "\0" in path:
            raise InvalidRequest(f"`path` {path!r} is not an absolute path")
        roots = [root.resolve() for root in self._roots]
        real = Path(path).resolve()
        if not any(real.is_relative_to(root) for root in roots):
            raise PermissionDenied(
                f"{path!r} is outside the workspace {str(roots[0])!r}", path=path
            )
        return real

    def read_text(self, path: Path, *, line: Any = None, limit: Any = None) -> str:
        """Of a path that is `inside`. `line` counts from 1; `limit` is a number of lines."""
        with _told_errors(path):
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                # Opening a pipe would wait for a writer.
                raise InvalidRequest(f"{str(path)!r} is not a file", path=str(path))
            self._check_size(status.st_size, path)
            with path.open(encoding="utf-8", newline="") as file:
                start = line - 1 if isinstance(line, int) and line > 0 else 0
                stop = start + limit if isinstance(limit, int) and limit >= 0 else None
                return "".join(islice(file, start, stop))

    def write_text(self, path: Path, content: Any) -> None:
        """To a path that is `inside`: whole or not at all, through a file beside it."""
        if not isinstance(content, str):
            raise InvalidRequest("`content` is not a text")
        data = content.encode("utf-8", "surrogatepass")
        self._check_size(len(data), path)
        with _told_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                Path(scratch).chmod(mode)
                Path(scratch).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(scratch).unlink()
                raise

    def _check_size(self, size: int, path: Path) -> None:
        if size > self._max_file_bytes:
            raise PayloadTooLarge(
                f"{str(path)!r} has {size} bytes, more than `max_file_bytes` ({self._max_file_bytes})",
                limit="max_file_bytes",
                value=self._max_file_bytes,
            )


@contextlib.contextmanager
def _told_errors(path: Path) -> Iterator[None]:
    """What the system says of a path, as ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no file {str(path)!r}", path=str(path)) from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{str(path)!r} is no UTF-8 text", path=str(path)) from None
    except OSError as exc:
        raise _refused(path, exc) from exc


def _refused(path: Path, exc: OSError) -> SandboxAgentError:
    if isinstance(exc, PermissionError):
        return PermissionDenied(f"{str(path)!r}: {exc.strerror}", path=str(path))
    return InvalidRequest(f"{str(path)!r}: {exc.strerror}", path=str(path))
