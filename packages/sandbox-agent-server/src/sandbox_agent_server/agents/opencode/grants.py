"""What was allowed for good in this session. Pure.

OpenCode would remember it by itself, and then ask nothing, whatever mode the session is put into.
"""

from __future__ import annotations

import re
from functools import cache

from sandbox_agent_server.agents.opencode.native import Native, text_in

__all__ = ["Grants", "strings_in"]


class Grants:
    """Of permissions, by their name and the patterns that OpenCode offers to allow always."""

    def __init__(self) -> None:
        self._patterns: dict[str, set[str]] = {}

    def add(self, asked: Native) -> None:
        name = text_in(asked, "permission") or ""
        self._patterns.setdefault(name, set()).update(strings_in(asked, "always"))

    def cover(self, asked: Native) -> bool:
        """Everything that is asked for was allowed."""
        granted = self._patterns.get(text_in(asked, "permission") or "", set())
        wanted = strings_in(asked, "patterns")
        return bool(wanted) and all(
            any(_expression(pattern).fullmatch(each) for pattern in granted) for each in wanted
        )

    def clear(self) -> None:
        self._patterns.clear()


def strings_in(native: Native, key: str) -> list[str]:
    value = native.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """OpenCode's wildcards: `*` and `?`; `touch *` also stands for `touch` alone."""
    start, end = (pattern[:-2], "( .*)?") if pattern.endswith(" *") else (pattern, "")
    escaped = re.escape(start).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped + end, re.DOTALL)
