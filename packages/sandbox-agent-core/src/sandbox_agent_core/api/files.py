"""Bodies of `/v1/fs`: files and directories of the sandbox."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "EntryKind",
    "EntryType",
    "FileEntry",
    "FileEntryList",
    "FileStat",
    "FileWritten",
    "MoveFile",
    "MovedFile",
    "PathChanged",
    "Unpacked",
]

EntryType = Literal["file", "directory"]
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
