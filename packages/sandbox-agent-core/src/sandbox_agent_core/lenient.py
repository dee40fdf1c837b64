"""Reading values that may be anything: agents are validated nowhere, so every reader answers for a wrong type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "as_dict",
    "as_id",
    "as_int",
    "as_list",
    "as_str",
    "as_text",
    "compact",
    "dicts_in",
    "dicts_with",
]


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def as_text(value: Any) -> str | None:
    """None for an empty one, too."""
    return value if isinstance(value, str) and value else None


def as_id(value: Any) -> str | None:
    """The name of one thing among others, as text: some agents number what others name."""
    number = as_int(value)
    return as_str(value) if number is None else str(number)


def as_int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Of a list: the objects. Of anything else: none."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def dicts_with(value: Any, key: str) -> Iterable[dict[str, Any]]:
    """Of a list: the objects whose `key` is text."""
    return (item for item in dicts_in(value) if isinstance(item.get(key), str))


def compact(**members: Any) -> dict[str, Any]:
    """The members that have a value, under their names."""
    return {name: value for name, value in members.items() if value is not None}
