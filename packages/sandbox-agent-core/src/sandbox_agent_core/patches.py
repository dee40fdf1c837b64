"""The files that a patch names in its headers, whichever tool wrote it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["patched_paths"]

_HEADER: Final = re.compile(
    r"^(?:\*\*\* (?:Add|Update|Delete) File: |\*\*\* Move to: |(?:---|\+\+\+) |Index: |"
    r"(?:rename|copy) (?:from|to) )(.+?)[ \t]*(?:\t.*)?\r?$",
    re.MULTILINE,
)
_GIT: Final = re.compile(r"^diff --git \"?a/(.+?)\"? \"?b/(.+?)\"?\r?$", re.MULTILINE)
_NOWHERE: Final = "/dev/null"


def patched_paths(text: str) -> list[str]:
    """In the order in which they are named, each once."""
    found = [path for pair in _GIT.findall(text) for path in pair]
    for path in _HEADER.findall(text):
        plain = path.strip('"')
        # Git's prefixes, which are also what `diff -u a b` between two directories gives.
        found.append(plain[2:] if plain[:2] in ("a/", "b/") else plain)
    return [path for path in dict.fromkeys(found) if path != _NOWHERE]
