"""npm's versions and ranges: which of two is newer, and what `engines.node` of a package asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Self

__all__ = ["VersionRange", "is_prerelease", "newer_first", "numbers"]

Numbers = tuple[int, int, int]
_Comparator = Callable[[Numbers], bool]

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_PARTIAL: Final = re.compile(
    r"(>=|<=|>|<|=|\^|~>?)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-[0-9A-Za-z.-]+)?"
)
_HYPHEN: Final = re.compile(r"(\S+)\s+-\s+(\S+)")


def numbers(version: str) -> Numbers | None:
    """`v22.19.0-rc.1` -> (22, 19, 0); None for what is no version."""
    found = _VERSION.match(version.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def is_prerelease(version: str) -> bool:
    found = _VERSION.fullmatch(version)
    return found is not None and found[4] is not None


def newer_first(version: str) -> tuple[object, ...]:
    """A key to sort by: the newest comes first, what is no version last."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (1,)
    release = tuple(-int(found[place]) for place in (1, 2, 3))
    # A prerelease comes before its release; numbers in it before words, by their value.
    parts = found[4].split(".") if found[4] else []
    rest = [(0, -int(part), "") if part.isdigit() else (-1, 0, _reversed(part)) for part in parts]
    return (0, release, bool(parts), [*rest, (1, 0, "")])


def _reversed(text: str) -> str:
    return "".join(chr(0x10FFFF - ord(letter)) for letter in text)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """As `engines` has it, read as npm reads it; what cannot be read admits every version."""

    text: str
    _alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        alternatives = [tuple(_comparators(part)) for part in text.split("||")]
        return cls(text.strip(), tuple(alternatives))

    def admits(self, version: Numbers) -> bool:
        return any(all(fits(version) for fits in every) for every in self._alternatives)

    def __str__(self) -> str:
        return self.text


def _comparators(text: str) -> Iterator[_Comparator]:
    text = _HYPHEN.sub(r">=\1 <=\2", text.strip())
    position = 0
    for found in _PARTIAL.finditer(text):
        if text[position : found.start()].strip(" ,"):
            return  # a word that npm would not understand either
        position = found.end()
        yield _comparator(found[1] or "=", [found[2], found[3], found[4]])


def _comparator(operator: str, written: list[str | None]) -> _Comparator:
    known: list[int] = []
    for part in written:
        if part is None or not part.isdigit():
            break
        known.append(int(part))
    lowest = _filled(known)
    # The first version that is no longer meant by what was written, and by its `^` and `~`.
    after = _next(known, len(known))
    match operator:
        case ">=":
            return lambda version: version >= lowest
        case ">":
            return lambda version: after is not None and version >= after
        case "<":
            return lambda version: version < lowest
        case "<=":
            return lambda version: after is None or version < after
        case "^":
            significant = next((place for place, part in enumerate(known) if part), len(known) - 1)
            after = _next(known, significant + 1)
        case "~" | "~>":
            after = _next(known, min(2, len(known)))
    return lambda version: lowest <= version and (after is None or version < after)


def _filled(known: list[int]) -> Numbers:
    major, minor, patch = (part for part, _ in zip_longest(known, range(3), fillvalue=0))
    return major, minor, patch


def _next(known: list[int], count: int) -> Numbers | None:
    """The lowest version whose first `count` parts are higher; None when none are written."""
    if count < 1:
        return None
    return _filled([*known[: count - 1], known[count - 1] + 1])
