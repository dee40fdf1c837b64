"""Reading values of Codex's messages, which may be anything: None, or nothing, for a wrong type."""

from __future__ import annotations

from typing import Any

__all__ = ["count", "dicts", "members", "text"]


def text(value: Any) -> str | None:
    """None for an empty one, too."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
