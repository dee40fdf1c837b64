"""Patches as tools write them: the files that they name, and the text before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

__all__ = ["PatchChange", "patch_changes", "patched_paths"]

_HEADER: Final = re.compile(
    r"^(?:\*\*\* (?:Add|Update|Delete) File: |\*\*\* Move to: |(?:---|\+\+\+) |Index: |"
    r"(?:rename|copy) (?:from|to) )(.+)$",
    re.MULTILINE,
)
_GIT: Final = re.compile(r"^diff --git \"?a/(.+?)\"? \"?b/(.+?)\"?\r?$", re.MULTILINE)
_FILE: Final = re.compile(r"(--- |\+\+\+ |\*\*\* (?:Add|Update|Delete) File: )(.+)")
_BETWEEN: Final = re.compile(
    r"@@|diff --git |index |Index: |={4}|\*\*\* |\\ |new file |deleted file |rename "
)
_NUMBERS: Final = re.compile(r"@@ -(\d{1,9})(?:,\d+)? \+(\d{1,9})(?:,\d+)? @@")
_END: Final = "*** Update File: end"
_NOWHERE: Final = "/dev/null"


class PatchChange(NamedTuple):
    path: str
    old: str
    """Empty for a new file."""
    new: str
    hunks: list[dict[str, Any]]
    """`{oldStart?, newStart?, lines}`."""


def patched_paths(text: str) -> list[str]:
    """In the order in which they are named, each once."""
    found = [path for pair in _GIT.findall(text) for path in pair]
    found += [_plain(path) for path in _HEADER.findall(text)]
    return [path for path in dict.fromkeys(found) if path != _NOWHERE]


def patch_changes(text: str) -> Iterator[PatchChange]:
    """Of each file what its hunks show, which is not the whole file but for one that is new."""
    path = before = None
    old: list[str] = []
    new: list[str] = []
    hunks: list[dict[str, Any]] = []
    for line in (*text.splitlines(), _END):
        if (header := _FILE.fullmatch(line)) is not None:
            if path is not None and (old or new):
                shown = [hunk for hunk in hunks if hunk["lines"]]
                yield PatchChange(path, _joined(old), _joined(new), shown)
            old, new, hunks = [], [], []
            named = _plain(header[2])
            # Of a file that is deleted only the first of the two says which.
            path = before if named == _NOWHERE and header[1] == "+++ " else named
            before = named
        elif line.startswith("@@"):
            hunks.append(_starts(line) | {"lines": []})
        elif path is not None and not _BETWEEN.match(line):
            sign = line[:1] if line[:1] in ("+", "-") else " "
            if sign != "+":
                old.append(line[1:])
            if sign != "-":
                new.append(line[1:])
            if not hunks:
                hunks.append({"lines": []})
            hunks[-1]["lines"].append(sign + line[1:])


def _starts(line: str) -> dict[str, Any]:
    """`oldStart` and `newStart`, where the patch has numbers."""
    if (match := _NUMBERS.match(line)) is None:
        return {}
    return {"oldStart": int(match[1]), "newStart": int(match[2])}


def _plain(header: str) -> str:
    """Without the time that may follow it."""
    plain = header.partition("\t")[0].strip().strip('"')
    # Git's prefixes, which are also what `diff -u a b` between two directories gives.
    return plain[2:] if plain[:2] in ("a/", "b/") else plain


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
