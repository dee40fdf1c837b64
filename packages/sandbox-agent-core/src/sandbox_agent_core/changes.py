"""Files that differ between two times, or two commits."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.wire.model import WireModel

__all__ = ["ChangeTotals", "ChangedFile", "FileStatus"]

FileStatus = Literal["added", "modified", "deleted", "renamed", "copied", "type_changed"]
"""`type_changed`: a file became a link, or the other way round. A change of the mode alone is `modified`."""


class ChangedFile(WireModel):
    """A file that differs. Paths are relative to the root of the work tree, with `/`."""

    path: str
    """Where it is now; of a deleted one, where it was."""
    old_path: str | None = None
    """Where it came from, when it was renamed or copied."""
    status: FileStatus
    """What became of it."""
    additions: int | None = None
    """Lines; absent for what is binary."""
    deletions: int | None = None
    """Lines; absent for what is binary."""
    binary: bool = False
    """It is no text, or too large to be compared line by line."""
    old_mode: str | None = None
    """As git writes it (`100644`, `100755`, `120000` for a link, `160000` for a submodule), if it changed."""
    mode: str | None = None
    """The same, now."""


class ChangeTotals(WireModel):
    """Of all changed files together, also those that did not fit."""

    files: int = 0
    additions: int = 0
    deletions: int = 0
