"""Rows as a table for the terminal and as one for docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .row import Row

__all__ = ["describe_machine", "markdown_table", "text_table", "write_into"]

START_MARK = "<!-- benchmarks:start (written by `python -m benchmarks --write-docs`) -->"
END_MARK = "<!-- benchmarks:end -->"
HEAD = ("what", "unit", "ours", "peer", "ours/peer", "budget", "")
_VERDICTS = {True: "met", False: "MISSED", None: ""}


def text_table(rows: Sequence[Row]) -> str:
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = []
    for line in cells:
        padded = [
            text.ljust(width) if column in (0, 1, 5, 6) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def markdown_table(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|---:|---:|---:|---|---|"]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def describe_machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = platform.python_version()
    today = datetime.now(UTC).date().isoformat()
    return f"{cores} cores, {platform.system()} {platform.machine()}, Python {python}, {today}"


def write_into(page: Path, rows: Sequence[Row]) -> None:
    """Replace what is between the marks of the page.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(START_MARK)
    _, end, after = rest.partition(END_MARK)
    if not start or not end:
        raise ValueError(f"{page} needs the lines {START_MARK!r} and {END_MARK!r}")
    inner = f"\n\nMeasured on {describe_machine()}.\n\n{markdown_table(rows)}\n\n"
    page.write_text(before + start + inner + end + after, encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    # A ratio of losses says nothing: what counts there is the zero.
    if row.unit == "events":
        ratio = ""
    budget = row.budget and f"{row.budget}{'x' if row.budget_of == 'ratio' else ''}"
    remark = " ".join(filter(None, [_VERDICTS[row.is_met], f"({row.note})" if row.note else ""]))
    ours, peer = _number(row.ours, row), _number(row.peer, row)
    return (row.what, row.unit, ours, peer, ratio, budget, remark)


def _number(value: float | None, row: Row) -> str:
    if value is None:
        return "-"
    return f"{value:,.{row.digits}f}".replace(",", " ")
