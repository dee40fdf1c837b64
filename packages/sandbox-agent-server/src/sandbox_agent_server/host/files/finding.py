"""Files by their names."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.api.files import EntryType

from sandbox_agent_server.host.files.entries import described_entry
from sandbox_agent_server.host.files.globs import Glob
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.told import told
from sandbox_agent_server.host.files.walking import walk

__all__ = ["NameQuery", "find_files"]

_IS_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuery:
    text: str
    """A glob (`*.py`, `src/**/test_*`), or words that all are in the path, in any case. Empty: everything."""
    kind: EntryType | None = None
    with_ignored: bool = False
    limit: int
    offset: int = 0


def find_files(paths: Paths, path: str, query: NameQuery, *, timeout_s: float) -> dict[str, Any]:
    """The members of a FoundFiles. Blocks. Raises: PathNotFound, NotADirectory, PathForbidden."""
    fits = _matcher(query.text)
    deadline = time.monotonic() + timeout_s
    found: list[dict[str, Any]] = []
    seen = 0
    truncated: str | None = None
    with paths.directory(path) as top, told(path):
        for one in walk(top, with_ignored=query.with_ignored):
            if time.monotonic() > deadline:
                truncated = "timeout"
                break
            is_wanted = query.kind is None or (query.kind == "directory") is one.is_directory
            if not is_wanted or not fits(one.parts):
                continue
            seen += 1
            if seen <= query.offset:
                continue
            if len(found) == query.limit:
                truncated = "limit"
                break
            full = f"{path.rstrip('/')}/{one.path}"
            if (entry := described_entry(one.directory, one.name, full)) is not None:
                found.append({"name": one.name, **entry})
    if truncated is None:
        return {"entries": found}
    return {"entries": found, "truncated": truncated, "nextOffset": query.offset + len(found)}


def _matcher(text: str) -> Callable[[Sequence[str]], bool]:
    if _IS_GLOB.search(text):
        return Glob(text).fits
    words = text.lower().split()

    def has_all(parts: Sequence[str]) -> bool:
        path = "/".join(parts).lower()
        return all(word in path for word in words)

    return has_all
