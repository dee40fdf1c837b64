"""Globs of paths, and the rules of `.gitignore`. In time that grows with pattern times path, whoever wrote the pattern:
regular expressions made of globs do not promise that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

__all__ = ["Glob", "IgnoreRules"]

_STAR: Final = "*"
_MAX_RULES: Final = 10_000

Token = str | tuple[bool, str]
"""A character, `*`, `?` as an empty set that is negated, or a set of characters (negated or not)."""
P = TypeVar("P")
T = TypeVar("T")


class Glob:
    """`*`, `?` and `[…]` are in one part of a path, `**` is any number of parts. Without a slash it is of the name."""

    def __init__(self, pattern: str, *, ignores_case: bool = False) -> None:
        self._ignores_case = ignores_case
        parts = [part for part in (pattern.lower() if ignores_case else pattern).split("/") if part]
        if "/" not in pattern.strip("/") and not pattern.startswith("/"):
            parts = ["**", *parts]
        self._parts = [None if part == "**" else _tokens(part) for part in parts]

    def fits(self, parts: Sequence[str]) -> bool:
        """The parts of a relative path."""
        if self._ignores_case:
            parts = [part.lower() for part in parts]
        return _wild(self._parts, parts, lambda part: part is None, _fits_name)


def _fits_name(tokens: list[Token] | None, name: str) -> bool:
    assert tokens is not None
    return _wild(tokens, name, lambda token: token == _STAR, _fits_character)


def _fits_character(token: Token, character: str) -> bool:
    if isinstance(token, str):
        return token == character
    is_negated, characters = token
    return (character in characters) is not is_negated


def _wild(
    pattern: Sequence[P],
    items: Sequence[T],
    is_star: Callable[[P], bool],
    fits: Callable[[P, T], bool],
) -> bool:
    """Going back to the last star is enough: an earlier one could only take what this one can."""
    at = item = 0
    star = mark = -1
    while item < len(items):
        if at < len(pattern) and is_star(pattern[at]):
            star, mark = at, item
            at += 1
        elif at < len(pattern) and fits(pattern[at], items[item]):
            at += 1
            item += 1
        elif star >= 0:
            mark += 1
            at, item = star + 1, mark
        else:
            return False
    return all(is_star(rest) for rest in pattern[at:])


def _tokens(part: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "[" and (end := part.find("]", at + (part[at : at + 1] in "!^") + 1)) > 0:
            found.append(_set(part[at:end]))
            at = end + 1
        elif character == "?":
            found.append((True, ""))
        elif character == "\\" and at < len(part):
            # An escaped star is a set of one, not a star.
            found.append((False, part[at]))
            at += 1
        elif character != _STAR or found[-1:] != [_STAR]:
            found.append(character)
    return found


def _set(text: str) -> Token:
    is_negated = text[:1] in ("!", "^")
    text = text[is_negated:]
    characters: list[str] = []
    at = 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            first, last = ord(text[at]), ord(text[at + 2])
            characters += map(chr, range(first, min(last, first + 256) + 1))
            at += 3
        else:
            characters.append(text[at])
            at += 1
    return is_negated, "".join(characters)


@dataclass(frozen=True, slots=True)
class _Rule:
    glob: Glob
    is_negated: bool
    is_of_directories: bool


class IgnoreRules:
    """A `.gitignore`, for the paths below its directory."""

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.splitlines()[:_MAX_RULES] if (rule := _rule(line))]

    def says(self, parts: Sequence[str], *, is_directory: bool) -> bool | None:
        """Whether it is ignored; None when no rule is about it. The last rule counts."""
        for rule in reversed(self._rules):
            if (is_directory or not rule.is_of_directories) and rule.glob.fits(parts):
                return not rule.is_negated
        return None


def _rule(line: str) -> _Rule | None:
    line = line.rstrip()
    if not line or line.startswith("#"):
        return None
    is_negated = line.startswith("!")
    line = line.removeprefix("!")
    is_of_directories = line.endswith("/")
    line = line.rstrip("/")
    return _Rule(Glob(line), is_negated, is_of_directories) if line else None
