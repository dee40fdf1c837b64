"""Patches as tools write them: the files that they name, and the text before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["patch_changes", "patched_paths"]

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
_END: Final = "*** Update File: end"
_NOWHERE: Final = "/dev/null"


def patched_paths(text: str) -> list[str]:
    """In the order in which they are named, each once."""
    found = [path for pair in _GIT.findall(text) for path in pair]
    found += [_plain(path) for path in _HEADER.findall(text)]
    return [path for path in dict.fromkeys(found) if path != _NOWHERE]


def patch_changes(text: str) -> Iterator[tuple[str, str, str]]:
    """`(path, old text, new text)` of each file: what its hunks show, which is not the whole file."""
    path = before = None
    old: list[str] = []
    new: list[str] = []
    for line in (*text.splitlines(), _END):
        if (header := _FILE.fullmatch(line)) is not None:
            if path is not None and (old or new):
                yield path, _joined(old), _joined(new)
            old, new = [], []
            named = _plain(header[2])
            # Of a file that is deleted only the first of the two says which.
            path = before if named == _NOWHERE and header[1] == "+++ " else named
            before = named
        elif path is not None and not _BETWEEN.match(line):
            if line[:1] != "+":
                old.append(line[1:])
            if line[:1] != "-":
                new.append(line[1:])


def _plain(header: str) -> str:
    """Without the time that may follow it."""
    plain = header.partition("\t")[0].strip().strip('"')
    # Git's prefixes, which are also what `diff -u a b` between two directories gives.
    return plain[2:] if plain[:2] in ("a/", "b/") else plain


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
