"""The shapes of OpenCode's API, read without trust: any member may be missing or another thing."""

from __future__ import annotations

from typing import Any

__all__ = ["Native", "as_dict", "dicts", "text_in"]

Native = dict[str, Any]
"""A JSON object of its API."""


def as_dict(value: Any) -> Native:
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[Native]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_in(native: Any, key: str) -> str | None:
    """A string that is not empty."""
    value = native.get(key) if isinstance(native, dict) else None
    return value if isinstance(value, str) and value else None
