"""Unified diffs, hunk by hunk, as ACP diffs that say where in the file they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.diffs import NO_NEWLINE

__all__ = ["Hunk", "hunks_of", "new_file", "piece", "whole_file"]

_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,\d+)? \+(\d{1,9})(?:,\d+)? @@")
# Not `splitlines`, which also splits at form feeds and the line separators of Unicode.
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(slots=True)
class Hunk:
    line: int | None
    """Where it starts in the new file, from 1."""
    old_line: int | None = None
    """Where in the file as it was; 0 when there was nothing."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def hunks_of(diff: str) -> Iterator[Hunk]:
    """The hunks of a unified diff of one file; its headers are skipped.

    The lines keep their ends, so that a missing newline at the end of the file shows.
    """
    hunk: Hunk | None = None
    last: tuple[list[str], ...] = ()
    for line in _LINES.findall(diff):
        if line.startswith("@@"):
            if hunk is not None:
                yield hunk
            match = _HUNK.match(line)
            hunk = Hunk(int(match.group(2)), int(match.group(1))) if match else Hunk(None)
        elif hunk is None:
            continue
        elif line.startswith(NO_NEWLINE):
            for side in last:
                side[-1] = side[-1].removesuffix("\n")
        else:
            last = _sides(hunk, line[:1])
            for side in last:
                side.append(line[1:] or line)
    if hunk is not None:
        yield hunk


def _sides(hunk: Hunk, sign: str) -> tuple[list[str], ...]:
    return {"-": (hunk.old,), "+": (hunk.new,)}.get(sign, (hunk.old, hunk.new))


def new_file(path: str, text: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "newText": text}


def whole_file(path: str, old: str, new: str) -> dict[str, Any]:
    whole = {"_meta": {"sandbox_agent": {"isWholeFile": True}}}
    return {"type": "diff", "path": path, "oldText": old, "newText": new, **whole}


def piece(path: str, old: str, new: str, hunk: Hunk | None = None) -> dict[str, Any]:
    """An ACP diff of a part of a file; `hunk` is where it is, as far as it is known."""
    where: dict[str, Any] = {"isWholeFile": False}
    if hunk is not None and hunk.old_line is not None:
        where["startLine"] = hunk.old_line
    if hunk is not None and hunk.line is not None:
        where["newStartLine"] = hunk.line
    return {
        "type": "diff",
        "path": path,
        "oldText": old,
        "newText": new,
        "_meta": {"sandbox_agent": where},
    }
