"""A change of a file as a coloured unified diff."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from sandbox_agent_core.events import Diff

from sandbox_agent_client.cli.plain import visible

__all__ = ["diff_text"]

MAX_LINES = 120
"""Shown of one change; the rest is counted."""
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff_text(diff: Diff) -> Text:
    lines = list(_lines(diff))
    text = Text()
    for line in lines[:MAX_LINES]:
        style = "bold" if line.startswith(("+++", "---")) else _STYLES.get(line[:1], "")
        text.append(line + "\n", style)
    if len(lines) > MAX_LINES:
        text.append(f"… {len(lines) - MAX_LINES} more lines\n", "dim")
    return text


def _lines(diff: Diff) -> Iterator[str]:
    path = visible(diff.path).replace("\n", " ")
    yield f"--- {path if diff.old_text is not None else '/dev/null'}"
    yield f"+++ {path}"
    if not diff.hunks and diff.old_text != diff.new_text:
        yield "@@ too large to be shown @@"
    for hunk in diff.hunks:
        places = (hunk.old_start, "-"), (hunk.new_start, "+")
        numbers = [f"{sign}{line}" for line, sign in places if line is not None]
        yield " ".join(["@@", *numbers, "@@"])
        yield from (visible(line).replace("\n", " ") for line in hunk.lines)
