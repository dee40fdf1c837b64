"""What options say in words of their own: NAME=VALUE, and spans of time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import typer

__all__ = [
    "agent_options",
    "assignments",
    "base_urls",
    "duration",
    "environment",
    "megabytes",
    "provider_options",
    "span",
]

_MEGABYTES = {"": 1 / 1e6, "m": 1, "g": 1024}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# A URL can have a `=` in it, but not before its colon.
_OF_A_PROVIDER = re.compile(r"([\w-]+)=(.*)", re.S)


def environment(items: Sequence[str]) -> dict[str, str]:
    """`--env NAME[=VALUE]`: without a value, that of this process. Raises: typer.BadParameter."""
    found: dict[str, str] = {}
    for item in items:
        name, has_value, value = item.partition("=")
        if not has_value:
            if name not in os.environ:
                raise typer.BadParameter(f"--env {name}: there is no such variable")
            value = os.environ[name]
        found[name] = value
    return found


def base_urls(items: Sequence[str]) -> str | dict[str, str] | None:
    """`--base-url [PROVIDER=]URL`. Raises: typer.BadParameter."""
    if len(items) == 1 and _OF_A_PROVIDER.fullmatch(items[0]) is None:
        return items[0]
    named = [_OF_A_PROVIDER.fullmatch(item) for item in items]
    if None in named:
        raise typer.BadParameter("--base-url: several need their providers, as PROVIDER=URL")
    return {found[1]: found[2] for found in named if found} or None


def provider_options(items: Sequence[str]) -> dict[str, Any]:
    """`--option KEY=VALUE`. Raises: typer.BadParameter."""
    return _values("--option", items)


def agent_options(items: Sequence[str]) -> dict[str, Any]:
    """`--agent-option KEY=VALUE`, or an object in JSON with several. Raises: typer.BadParameter."""
    found: dict[str, Any] = {}
    for item in items:
        if not item.startswith("{"):
            found |= _values("--agent-option", [item])
            continue
        try:
            found |= json.loads(item)
        except ValueError as exc:
            raise typer.BadParameter(f"--agent-option {item!r} is no JSON: {exc}") from exc
    return found


def _values(option: str, items: Sequence[str]) -> dict[str, Any]:
    """Numbers, booleans, lists and objects as in JSON, else text."""
    found: dict[str, Any] = {}
    for item in items:
        name, has_value, value = item.partition("=")
        if not has_value or not name.isidentifier():
            raise typer.BadParameter(f"{option} {item!r}: use KEY=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def duration(text: str) -> timedelta:
    """Raises: typer.BadParameter."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age: use 90s, 30m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def span(time: timedelta) -> str:
    """In the largest unit that fits: 45s, 30m, 5h, 3d."""
    seconds = max(0, int(time.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 48 * 3600 else f"{seconds // 86400}d"


def megabytes(option: str, text: str) -> int:
    """`512m`, `4g` or bytes. Raises: typer.BadParameter."""
    found = re.fullmatch(r"(\d+)([mg]?)b?", text.lower())
    if found is None:
        raise typer.BadParameter(f"{option} {text!r}: use 512m or 4g")
    return round(int(found[1]) * _MEGABYTES[found[2]])


def assignments(option: str, items: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`, the values as they are. Raises: typer.BadParameter."""
    pairs = [item.partition("=") for item in items]
    if unassigned := [name for name, equals, _ in pairs if not equals or not name]:
        raise typer.BadParameter(f"{option} {unassigned[0]!r}: use NAME=VALUE")
    return {name: value for name, _, value in pairs}
