"""A distribution as a file, on its way into a sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Wheel"]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A built distribution to install in a sandbox."""

    filename: str
    """As pip wants it: `name-version-py3-none-any.whl`."""
    content: bytes = field(repr=False)
