"""The code of a page: fenced blocks, each with its language and the comment before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "blocks_of"]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<language>[\w-]*)[^\n]*$")
_NOT_RUN = re.compile(r"<!-- (?:not run: )?(?P<reason>(?<=not run: ).+?|examples/\S+: .+?) -->")


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    not_run: str | None = None
    """Why it cannot be run here: `<!-- not run: … -->` in the line before the fence. Examples have tests of their own."""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    before = ""
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            before = lines[number] or before
            number += 1
            continue
        start, number = number, number + 1
        body = []
        while lines[number].strip() != opened["fence"]:
            body.append(lines[number].removeprefix(opened["indent"]))
            number += 1
        marked = _NOT_RUN.search(before)
        yield Block(
            page, start + 1, opened["language"], "\n".join(body) + "\n", marked and marked["reason"]
        )
        before = ""
        number += 1
