"""Bodies of `/v1/fs`: files and directories of the sandbox."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "ChangeKind",
    "EntryKind",
    "EntryType",
    "FileChange",
    "FileEntry",
    "FileEntryList",
    "FileMatch",
    "FileStat",
    "FileWritten",
    "FoundFiles",
    "FoundText",
    "MoveFile",
    "MovedFile",
    "PathChanged",
    "SearchEnd",
    "Unpacked",
]

EntryType = Literal["file", "directory"]
ChangeKind = Literal["added", "modified", "removed", "rescan"]
SearchEnd = Literal["limit", "timeout"]
EntryKind = Literal["file", "directory", "symlink", "fifo", "socket", "device"]


class FileStat(ResponseBody):
    """What a path leads to."""

    path: str = Field(description="Absolute.")
    entry_type: EntryType = Field(
        description="`directory`, or `file` for all else; `kind` says more."
    )
    size: int = Field(description="Bytes.")
    modified: str | None = Field(default=None, description="RFC 3339 with nanoseconds, UTC.")
    kind: EntryKind | None = Field(
        default=None, description="What it is. Servers of version 0.4 do not tell."
    )
    mode: str | None = Field(default=None, description="Permissions, in octal: `0644`.")
    symlink_target: str | None = Field(
        default=None, description="Of a symbolic link, as it is written in it."
    )
    etag: str | None = Field(
        default=None,
        description="Of a file: changes when it is written. For `If-Match` and `If-None-Match`.",
    )

    @property
    def is_directory(self) -> bool:
        return self.entry_type == "directory"


class FileEntry(FileStat):
    """A line of a directory. Of a symbolic link it tells about the link itself."""

    name: str


class FileEntryList(RootModel[list[FileEntry]]):
    """A directory, sorted by name."""


class FileWritten(ResponseBody):
    path: str
    bytes_written: int
    etag: str | None = Field(
        default=None, description="Of what was written, for a later `If-Match`."
    )


class PathChanged(ResponseBody):
    path: str


class MoveFile(RequestBody):
    from_: str = Field(
        alias="from", description="What is moved: a file, a directory, or a link itself."
    )
    to: str = Field(description="Its new path, not the directory that it goes into.")
    overwrite: bool | None = Field(
        default=None, description="Replace what is there. Default: refuse."
    )


class MovedFile(ResponseBody):
    from_: str = Field(alias="from")
    to: str


class Unpacked(ResponseBody):
    paths: list[str] = Field(description="What was written, in order; the first 1024 of it.")
    truncated: bool = Field(description="There was more than `paths` has.")
    skipped: list[str] = Field(
        default_factory=list,
        description="Links of the archive that lead out of the directory, and what else was left out.",
    )


class FoundFiles(ResponseBody):
    entries: list[FileEntry] = Field(description="In the order of their paths.")
    truncated: SearchEnd | None = Field(
        default=None,
        description="There may be more: the `limit` or the time of the server was reached.",
    )
    next_offset: int | None = Field(
        default=None, description="The `offset` of what comes after these."
    )


class FileMatch(ResponseBody):
    """A line of a file in which there is what was looked for."""

    path: str
    line: int = Field(description="From 1.")
    column: int = Field(description="Of the first match in it, in characters from 1.")
    text: str = Field(description="The line, without its end; a long one is cut.")
    ranges: list[tuple[int, int]] = Field(
        default_factory=list,
        description="Each match in `text`: from, and before, in characters from 0.",
    )


class FoundText(ResponseBody):
    matches: list[FileMatch] = Field(description="In the order of their paths and lines.")
    truncated: SearchEnd | None = Field(
        default=None,
        description="There may be more: the `limit` or the time of the server was reached.",
    )
    next_offset: int | None = Field(
        default=None, description="The `offset` of what comes after these."
    )
    engine: Literal["ripgrep", "python"] = Field(description="Whose regular expressions they are.")


class FileChange(ResponseBody):
    """Something that happened in a directory that is watched."""

    kind: ChangeKind = Field(
        description="`rescan`: too much happened, or the connection broke: look at what you need yourself."
    )
    path: str = Field(description="Of the file or directory; with `rescan` of what is watched.")
