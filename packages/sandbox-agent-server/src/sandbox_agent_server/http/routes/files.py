"""`/v1/fs`: files and directories of the sandbox."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from sandbox_agent_core.api.files import (
    FileEntryList,
    FileStat,
    FileWritten,
    FoundFiles,
    FoundText,
    MovedFile,
    MoveFile,
    PathChanged,
    Unpacked,
)
from sandbox_agent_core.errors import (
    ArchiveInvalid,
    DirectoryNotEmpty,
    DiskFull,
    FileChanged,
    FileSystemError,
    InvalidRequest,
    LimitReached,
    NotADirectory,
    NotAFile,
    PathExists,
    PathForbidden,
    PathNotFound,
    PayloadTooLarge,
    RangeNotSatisfiable,
    SandboxAgentError,
    SearchPatternInvalid,
    UnsupportedMediaType,
    WatchLimitReached,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.finding import NameQuery
from sandbox_agent_server.host.files.grepping import TextQuery
from sandbox_agent_server.host.files.writing import WriteOptions
from sandbox_agent_server.http.body import query_bool, query_choice, query_int, read_body
from sandbox_agent_server.http.file_events import FileEvents
from sandbox_agent_server.http.large_answer import Body, LargeAnswer, json_body
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.transfers import (
    ArchiveAnswer,
    FileAnswer,
    receive_archive,
    receive_file,
)
from sandbox_agent_server.jsonio import dumps

__all__ = ["path_of", "routes"]

_GZIP = ("application/gzip", "application/x-gzip", "application/x-tgz", "application/x-tar+gzip")
_MAX_OFFSET = 10_000_000
_OCTAL = re.compile(r"0?[0-7]{3}")


def path_of(request: Request, *, default: str | None = None) -> str:
    """The absolute path that `path` means. Names that are no UTF-8 come as they are: `%FF` is that byte.

    Raises: InvalidRequest, PathForbidden.
    """
    query: bytes = request.scope["query_string"]
    pairs = parse_qsl(
        query.decode("utf-8", "surrogateescape"), keep_blank_values=True, errors="surrogateescape"
    )
    given = dict(pairs).get("path", default)
    if given is None:
        raise InvalidRequest("the query parameter `path` is missing")
    return services_of(request).files.paths.absolute(given)


async def _entries(request: Request) -> LargeAnswer:
    services = services_of(request)
    files, path = services.files, path_of(request, default=".")
    after = request.query_params.get("after")
    most = files.limits.max_list_entries
    limit = query_int(request, "limit", default=0, minimum=1, maximum=most) or None

    def listed() -> bytes:
        return dumps(files.entries.in_directory(path, after=after, limit=limit))

    body = json_body(await files.run(listed))

    async def made() -> Body:
        return body

    return LargeAnswer(made, services.answers, max_bytes=body.memory_bytes)


async def _read(request: Request) -> FileAnswer:
    services = services_of(request)
    return FileAnswer(services.files, services.transfers, path_of(request))


async def _write(request: Request) -> Response:
    services = services_of(request)
    options = WriteOptions(
        mode=_mode(request),
        overwrite=query_bool(request, "overwrite", default=True)
        and request.headers.get("if-none-match", "").strip() != "*",
        if_match=request.headers.get("if-match"),
    )
    path = path_of(request)
    written = await receive_file(request, services.files, services.transfers, path, options)
    return _json({"path": path, "bytesWritten": written.size, "etag": written.etag})


def _mode(request: Request) -> int | None:
    text = request.query_params.get("mode")
    if text is None:
        return None
    if not _OCTAL.fullmatch(text):
        raise InvalidRequest(f"`mode` must be permissions in octal, as 0644, not {text[:64]!r}")
    return int(text, 8)


async def _remove(request: Request) -> Response:
    files, path = services_of(request).files, path_of(request)
    recursive = query_bool(request, "recursive", default=False)
    await files.run(files.entries.remove, path, recursive=recursive)
    return _json({"path": path})


async def _make_directory(request: Request) -> Response:
    files, path = services_of(request).files, path_of(request)
    await files.run(files.entries.make_directory, path)
    return _json({"path": path})


async def _move(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, MoveFile, services.settings.limits)
    files: Files = services.files
    source, target = files.paths.absolute(body.from_), files.paths.absolute(body.to)
    await files.run(files.entries.move, source, target, overwrite=bool(body.overwrite))
    return _json({"from": source, "to": target})


async def _stat(request: Request) -> Response:
    files, path = services_of(request).files, path_of(request)
    follow = query_bool(request, "follow", default=True)
    return _json(await files.stat(path, follow=follow))


async def _archive(request: Request) -> ArchiveAnswer:
    services = services_of(request)
    is_gzip = query_choice(request, "format", ("tar", "tar.gz")) == "tar.gz"
    path = path_of(request, default=".")
    return ArchiveAnswer(services.files, services.transfers, path, is_gzip=is_gzip)


async def _upload_batch(request: Request) -> Response:
    services = services_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith(("application/x-tar", "application/tar", *_GZIP)):
        raise UnsupportedMediaType(
            f"content-type must be application/x-tar, or application/gzip for one that is packed, not {kind or 'none'!r}"
        )
    is_gzip = kind.startswith(_GZIP) or request.headers.get("content-encoding") == "gzip"
    path = path_of(request, default=".")
    return _json(
        await receive_archive(request, services.files, services.transfers, path, is_gzip=is_gzip)
    )


async def _find(request: Request) -> Response:
    files, path = services_of(request).files, path_of(request, default=".")
    kind = query_choice(request, "kind", ("any", "file", "directory"))
    query = NameQuery(
        text=request.query_params.get("query", ""),
        kind="file" if kind == "file" else "directory" if kind == "directory" else None,
        with_ignored=query_bool(request, "ignored", default=False),
        **_page(request, files),
    )
    return _json(await files.find(path, query))


async def _grep(request: Request) -> Response:
    files, path = services_of(request).files, path_of(request, default=".")
    pattern = request.query_params.get("pattern", "")
    if not pattern or "\0" in pattern or "\n" in pattern:
        raise InvalidRequest("`pattern` is what is looked for in a line: it is not empty")
    query = TextQuery(
        pattern=pattern,
        is_literal=query_bool(request, "literal", default=False),
        ignores_case=query_bool(request, "ignoreCase", default=False),
        glob=request.query_params.get("glob") or None,
        with_ignored=query_bool(request, "ignored", default=False),
        **_page(request, files),
    )
    return _json(await files.grep(path, query))


def _page(request: Request, files: Files) -> dict[str, int]:
    most = files.limits.max_search_results
    return {
        "limit": query_int(request, "limit", default=min(1000, most), minimum=1, maximum=most),
        "offset": query_int(request, "offset", default=0, minimum=0, maximum=_MAX_OFFSET),
    }


async def _watch(request: Request) -> FileEvents:
    services = services_of(request)
    return FileEvents(
        services.files.watches,
        path_of(request, default="."),
        services.streams,
        recursive=query_bool(request, "recursive", default=True),
        heartbeat_s=services.settings.limits.heartbeat_s,
    )


def _json(body: dict[str, object]) -> Response:
    """Not through the models: a name that is no UTF-8 is no text to them."""
    return json_response(body)


_PATH = Query(
    "path",
    {"type": "string"},
    "Absolute; a relative one begins at the home of the server's user (with `--root` at the root), and may not have "
    "`..` in it.",
    required=True,
)
_DIRECTORY = Query("path", {"type": "string", "default": "."}, _PATH.description)
_PAGE = [
    Query("limit", {"type": "integer", "minimum": 1, "default": 1000}, "At most so many, up to `max_search_results`."),
    Query("offset", {"type": "integer", "minimum": 0, "default": 0}, "Leave out so many: `nextOffset` of the page before."),
    Query("ignored", {"type": "boolean", "default": False}, "Also what a `.gitignore` names, and `.git`."),
]  # fmt: skip
_ANY: tuple[type[SandboxAgentError], ...] = (PathNotFound, PathForbidden, FileSystemError)

routes = [
    ApiRoute(
        method="GET", path="/v1/fs/entries", handler=_entries, scope="host", tag="files",
        summary="What is in a directory, sorted by name.", result=FileEntryList,
        query=[
            _DIRECTORY,
            Query("limit", {"type": "integer", "minimum": 1}, "At most so many. Default: all, up to `max_list_entries`."),
            Query("after", {"type": "string"}, "Only names that come after this one."),
        ],
        errors=[*_ANY, NotADirectory, LimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/file", handler=_read, scope="host", tag="files",
        summary="A file. `Range`, `If-Range`, `If-None-Match`, `If-Modified-Since` and `If-Match` are heard.",
        gives=["application/octet-stream"], query=[_PATH],
        errors=[*_ANY, NotAFile, RangeNotSatisfiable, FileChanged, LimitReached],
    ),
    ApiRoute(
        method="PUT", path="/v1/fs/file", handler=_write, scope="host", tag="files",
        summary="Write a file, whole or not at all; directories above it are made. `If-Match` and `If-None-Match: *` are heard.",
        takes=["application/octet-stream"], result=FileWritten,
        query=[
            _PATH,
            Query("mode", {"type": "string", "pattern": "^0?[0-7]{3}$"}, "Permissions, in octal. Default: those of the file that is replaced, else 0644."),
            Query("overwrite", {"type": "boolean", "default": True}, "False: refuse when there is a file."),
        ],
        errors=[*_ANY, NotAFile, NotADirectory, PathExists, FileChanged, PayloadTooLarge, DiskFull, LimitReached],
    ),
    ApiRoute(
        method="DELETE", path="/v1/fs/entry", handler=_remove, scope="host", tag="files",
        summary="Remove a file, a link itself, or a directory.", result=PathChanged,
        query=[_PATH, Query("recursive", {"type": "boolean", "default": False}, "A directory with all it has.")],
        errors=[*_ANY, DirectoryNotEmpty],
    ),
    ApiRoute(
        method="POST", path="/v1/fs/mkdir", handler=_make_directory, scope="host", tag="files",
        summary="Make a directory and those above it; one that is there is fine.", result=PathChanged,
        query=[_PATH], errors=[*_ANY, NotADirectory, DiskFull],
    ),
    ApiRoute(
        method="POST", path="/v1/fs/move", handler=_move, scope="host", tag="files",
        summary="Move or rename a file or a directory.", body=MoveFile, result=MovedFile,
        errors=[*_ANY, PathExists, NotADirectory],
    ),
    ApiRoute(
        method="POST", path="/v1/fs/upload-batch", handler=_upload_batch, scope="host", tag="files",
        summary="Unpack a tar into a directory: all of it, or nothing. Nothing gets out of the directory.",
        takes=["application/x-tar", "application/gzip"], result=Unpacked, query=[_DIRECTORY],
        errors=[
            *_ANY, ArchiveInvalid, NotADirectory, NotAFile, PayloadTooLarge, UnsupportedMediaType, DiskFull,
            LimitReached,
        ],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/archive", handler=_archive, scope="host", tag="files",
        summary="A directory as a tar.", gives=["application/x-tar", "application/gzip"],
        query=[_DIRECTORY, Query("format", {"type": "string", "enum": ["tar", "tar.gz"], "default": "tar"}, "Packed or not.")],
        errors=[*_ANY, NotADirectory, LimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/find", handler=_find, scope="host", tag="files",
        summary="Files and directories by name, in the order of their paths.", result=FoundFiles,
        query=[
            _DIRECTORY,
            Query("query", {"type": "string"}, "A glob (`*.py`, `src/**/test_*`), or words that all are in the path, in any case. Empty: everything."),
            Query("kind", {"type": "string", "enum": ["any", "file", "directory"], "default": "any"}, "Only these."),
            *_PAGE,
        ],
        errors=[*_ANY, NotADirectory, LimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/grep", handler=_grep, scope="host", tag="files",
        summary="Lines of files by a regular expression, in the order of their paths.", result=FoundText,
        query=[
            _DIRECTORY,
            Query("pattern", {"type": "string", "minLength": 1}, "A regular expression: of ripgrep where it is installed, else of Python.", required=True),
            Query("literal", {"type": "boolean", "default": False}, "It is a text and no expression."),
            Query("ignoreCase", {"type": "boolean", "default": False}, "In any case."),
            Query("glob", {"type": "string"}, "Only in files that it fits."),
            *_PAGE,
        ],
        errors=[*_ANY, NotADirectory, SearchPatternInvalid, LimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/watch", handler=_watch, scope="host", tag="files",
        summary="What changes in a directory, as it happens.",
        streams="`ready` when it is watched, then a `change` for each: {kind: added|modified|removed|rescan, path}. "
        "`rescan`: too much happened to tell. It ends when the directory is gone.",
        query=[_DIRECTORY, Query("recursive", {"type": "boolean", "default": True}, "Also below it.")],
        errors=[*_ANY, NotADirectory, LimitReached, WatchLimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/fs/stat", handler=_stat, scope="host", tag="files",
        summary="What a path leads to.", result=FileStat,
        query=[_PATH, Query("follow", {"type": "boolean", "default": True}, "False: of a link tell about the link itself.")],
        errors=_ANY,
    ),
]  # fmt: skip
