"""Lists that a server gives in pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

__all__ = ["Page"]

T = TypeVar("T")


class Page(list[T]):
    """A list, and where it can go on.

    `next_cursor` is the `cursor` of a call that goes on behind it; None when there is nothing more.
    """

    def __init__(self, items: Iterable[T] = (), *, next_cursor: str | None = None) -> None:
        super().__init__(items)
        self.next_cursor = next_cursor
