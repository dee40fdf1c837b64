"""`/v1/fs`. Paths go as bytes, so that a name that is no UTF-8 comes back as it came."""

from __future__ import annotations

import os
from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar
from urllib.parse import quote

from sandbox_agent_core.api.base import ResponseBody
from sandbox_agent_core.api.files import (
    EntryType,
    FileChange,
    FileEntry,
    FileStat,
    FileWritten,
    FoundFiles,
    FoundText,
    MovedFile,
    MoveFile,
    PathChanged,
    Unpacked,
)
from sandbox_agent_core.errors import InternalError, InvalidRequest

from sandbox_agent_client._calls.call import Call, body, built, reads
from sandbox_agent_client._failures import read_json

__all__ = [
    "RemotePath",
    "archive",
    "change_of",
    "entries",
    "file",
    "find",
    "grep",
    "make_directory",
    "move",
    "path_text",
    "remove",
    "stat",
    "unpack",
    "watch",
    "write",
]

RemotePath = str | PathLike[str]
"""A path in the sandbox. A relative one begins at the home of the server's user."""

Response = TypeVar("Response", bound=ResponseBody)


def path_text(path: RemotePath) -> str:
    """Raises: InvalidRequest: it is no path."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise InvalidRequest(f"{path!r} is no path: give a text")
    return text


def entries(
    path: RemotePath, *, after: str | None = None, limit: int | None = None
) -> Call[list[FileEntry]]:
    read_entry = reads(FileEntry, verbatim=True)

    def parse(document: Any) -> list[FileEntry]:
        if not isinstance(document, list):
            raise InternalError("The server's answer is no list: is this a sandbox-agent server?")
        return [read_entry(one) for one in document]

    return _call("GET", "entries", parse, path=path_text(path), after=after, limit=limit)


def stat(path: RemotePath, *, follow_symlinks: bool) -> Call[FileStat]:
    follow = None if follow_symlinks else "false"
    return _call("GET", "stat", _exact(FileStat), path=path_text(path), follow=follow)


def remove(path: RemotePath, *, recursive: bool) -> Call[PathChanged]:
    wanted = "true" if recursive else None
    return _call("DELETE", "entry", _exact(PathChanged), path=path_text(path), recursive=wanted)


def make_directory(path: RemotePath) -> Call[PathChanged]:
    return _call("POST", "mkdir", _exact(PathChanged), path=path_text(path))


def move(source: RemotePath, target: RemotePath, *, overwrite: bool) -> Call[MovedFile]:
    request = built(
        MoveFile, from_=path_text(source), to=path_text(target), overwrite=overwrite or None
    )
    return Call(method="POST", path="/v1/fs/move", body=body(request), parse=_exact(MovedFile))


def file(method: str, path: RemotePath) -> Call[Any]:
    return _call(method, "file", lambda _document: None, path=path_text(path))


def write(path: RemotePath, *, mode: int | None, overwrite: bool) -> Call[FileWritten]:
    return _call(
        "PUT",
        "file",
        _exact(FileWritten),
        path=path_text(path),
        mode=None if mode is None else f"{mode & 0o777:04o}",
        overwrite=None if overwrite else "false",
    )


def unpack(path: RemotePath) -> Call[Unpacked]:
    return _call("POST", "upload-batch", _exact(Unpacked), path=path_text(path))


def archive(path: RemotePath) -> Call[None]:
    return _call("GET", "archive", lambda _document: None, path=path_text(path))


def find(
    path: RemotePath,
    query: str,
    *,
    kind: EntryType | None,
    ignored: bool,
    limit: int,
    offset: int,
) -> Call[FoundFiles]:
    return _call(
        "GET", "find", _exact(FoundFiles), path=path_text(path), query=query, kind=kind,
        ignored="true" if ignored else None, limit=limit, offset=offset or None,
    )  # fmt: skip


def grep(
    path: RemotePath,
    pattern: str,
    *,
    literal: bool,
    ignore_case: bool,
    glob: str | None,
    ignored: bool,
    limit: int,
    offset: int,
) -> Call[FoundText]:
    return _call(
        "GET", "grep", _exact(FoundText), path=path_text(path), pattern=pattern, glob=glob,
        literal="true" if literal else None, ignoreCase="true" if ignore_case else None,
        ignored="true" if ignored else None, limit=limit, offset=offset or None,
    )  # fmt: skip


def watch(path: RemotePath, *, recursive: bool) -> Call[None]:
    deep = None if recursive else "false"
    return _call("GET", "watch", lambda _document: None, path=path_text(path), recursive=deep)


def change_of(data: str) -> FileChange:
    return _exact(FileChange)(read_json(data, "An event of the stream"))


def _call(method: str, route: str, parse: Callable[[Any], Any], **query: object) -> Call[Any]:
    given = "&".join(
        f"{name}={quote(os.fsencode(str(value)), safe='/')}"
        for name, value in query.items()
        if value is not None
    )
    return Call(method=method, path=f"/v1/fs/{route}?{given}", parse=parse)


def _exact(model: type[Response]) -> Callable[[Any], Response]:
    """Names of files are not mended: they would be other files."""
    return reads(model, verbatim=True)
