"""Rows in columns. No word is cut or broken, so that ids, paths and keys can be copied and piped."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sandbox_agent_client.cli.plain import plain

__all__ = ["print_table"]

GAP = "  "
MIN_PROSE = 20
"""Cells. Where the last column would be narrower than this, what does not fit goes below its row."""
BELOW = "    "


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """On a terminal the last column, when it is prose, goes on below itself, or below its row."""
    console = Console(highlight=False)
    cells = [headers, *([plain(cell).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)][:-1]
    indent = sum(widths) + len(GAP) * len(widths)
    room = console.width - indent if console.is_terminal else 0
    for number, (*named, prose) in enumerate(cells):
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(named, widths, strict=True)
        )
        margin = " " * indent
        lines = [prose]
        if console.is_terminal and cell_len(prose) > room:
            is_narrow = room < MIN_PROSE
            margin = BELOW if is_narrow else margin
            wrapper = textwrap.TextWrapper(
                console.width - len(margin), break_long_words=False, break_on_hyphens=False
            )
            lines = ["", *wrapper.wrap(prose)] if is_narrow else wrapper.wrap(prose)
        rows_of_it = [
            GAP.join((*padded, lines[0])).rstrip(),
            *(margin + line for line in lines[1:]),
        ]
        text = "\n".join(rows_of_it)
        console.print(Text(text, "" if number else "dim"), soft_wrap=True)
