"""The difference between two trees: which files, how many lines, and the patch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox_agent_core.changes import ChangedFile, ChangeTotals, FileStatus
from sandbox_agent_core.errors import LimitReached

from sandbox_agent_server.host.git.trees import WorkTree

__all__ = ["Changes", "Patch", "changed_files", "patch"]

_HOW: Final = ("-r", "-M", "-l1000", "--no-ext-diff", "--no-textconv", "--no-color")
_STATUSES: Final[dict[str, FileStatus]] = {
    "A": "added",
    "C": "copied",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "type_changed",
}
_NO_FILE: Final = "000000"


@dataclass(frozen=True, slots=True)
class Changes:
    files: list[ChangedFile]
    totals: ChangeTotals
    truncated: bool = False
    """There are more files than listed."""


@dataclass(frozen=True, slots=True)
class Patch:
    text: str
    truncated: bool = False


async def changed_files(
    work_tree: WorkTree, base: str, tree: str, *, paths: Sequence[str] = (), max_files: int
) -> Changes:
    """Raises: GitFailed, Timeout."""
    output = await work_tree.run(
        "diff-tree", *_HOW, "-z", "--raw", "--numstat", base, tree, "--", *paths
    )
    if output.is_cut:
        raise LimitReached(
            "the list of what has changed is too long to be read; narrow it by `paths`"
        )
    files = list(_read(iter(output.stdout.split(b"\0"))))
    totals = ChangeTotals(
        files=len(files),
        additions=sum(file.additions or 0 for file in files),
        deletions=sum(file.deletions or 0 for file in files),
    )
    return Changes(files[:max_files], totals, len(files) > max_files)


async def patch(
    work_tree: WorkTree,
    base: str,
    tree: str,
    *,
    paths: Sequence[str] = (),
    context: int = 3,
    max_bytes: int,
) -> Patch:
    """At most `max_bytes` of it: whole files if one fits, else whole lines. Raises: GitFailed, Timeout."""
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    output = await work_tree.run(
        "diff-tree", *_HOW, "-p", f"-U{context}", *prefixes, base, tree, "--", *paths,
        max_bytes=max_bytes,
    )  # fmt: skip
    data = output.stdout
    if output.is_cut:
        whole = data.rfind(b"\ndiff --git ")
        data = data[: (whole if whole > 0 else data.rfind(b"\n")) + 1]
    return Patch(data.decode("utf-8", "replace"), output.is_cut)


def _read(parts: Iterator[bytes]) -> Iterator[ChangedFile]:
    """Of `--raw --numstat -z`: first all of the one, then all of the other."""
    raw: dict[bytes, dict[str, object]] = {}
    for part in parts:
        if part.startswith(b":"):
            path, file = _raw(part.decode("ascii"), parts)
            raw[path] = file
        elif part:
            path, lines = _lines(part, parts)
            if (known := raw.pop(path, None)) is not None:
                yield ChangedFile.model_validate({**known, **lines})


def _raw(part: str, parts: Iterator[bytes]) -> tuple[bytes, dict[str, object]]:
    old_mode, mode, _, _, status = part[1:].split(" ")
    file: dict[str, object] = {"status": _STATUSES.get(status[0], "modified")}
    if status[0] in "RC":
        file["old_path"] = _path(next(parts))
    path = next(parts)
    file["path"] = _path(path)
    if old_mode != mode:
        file |= {
            name: value
            for name, value in (("old_mode", old_mode), ("mode", mode))
            if value != _NO_FILE
        }
    return path, file


def _lines(part: bytes, parts: Iterator[bytes]) -> tuple[bytes, dict[str, object]]:
    added, deleted, name = part.split(b"\t", 2)
    if not name:
        next(parts)
        name = next(parts)
    if added == b"-":
        return name, {"binary": True}
    return name, {"additions": int(added), "deletions": int(deleted)}


def _path(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
