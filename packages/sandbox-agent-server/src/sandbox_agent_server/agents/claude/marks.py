"""The uuids of our lines to Claude. They say which prompt of the session a line is, because nothing else does
when the session is gone on with by another process, or forked: Claude keeps them in its transcript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from uuid import UUID

__all__ = ["Mark", "Marks", "read_mark"]

_OURS: Final = "5ad0a9e7"
# Version 8: its content is up to whoever makes it.
_MARK: Final = re.compile(rf"{_OURS}-[0-9a-f]{{4}}-8[0-9a-f]{{3}}-8[0-9a-f]{{3}}-[0-9a-f]{{12}}")


class Mark(NamedTuple):
    uuid: str
    prompt: int
    """Its index, from 0; what belongs to it, such as what is said into its turn, has the same."""


class Marks:
    """What was said in the conversation of a session, in this order."""

    def __init__(self, *, new_id: Callable[[], str], known: Iterable[Mark] | None = ()) -> None:
        """`known`: what was said before this process. None: that cannot be known, so nothing is counted."""
        self._new_id = new_id
        self._counts = known is not None
        self._said = list(known or ())
        self._next = max((mark.prompt for mark in self._said), default=-1) + 1

    def prompt(self) -> str:
        """The uuid of the next prompt."""
        self._next += 1
        return self._said_in(self._next - 1)

    def aside(self) -> str:
        """The uuid of what belongs to the last prompt: said into its turn, or a command after it."""
        return self._said_in(max(self._next - 1, 0))

    def has(self, index: int) -> bool:
        return self._counts and 0 <= index < self._next

    def drop(self, uuid: str) -> None:
        """Claude did not take it."""
        self._said = [mark for mark in self._said if mark.uuid != uuid]

    def since(self, index: int) -> list[Mark]:
        """From the prompt with this index on; those that Claude took."""
        return [mark for mark in self._said if mark.prompt >= index]

    def rewind(self, index: int) -> None:
        """The next prompt has this index."""
        self._said = [mark for mark in self._said if mark.prompt < index]
        self._next = index

    def _said_in(self, index: int) -> str:
        if not self._counts:
            return self._new_id()
        free = self._new_id().replace("-", "")
        digits = f"{_OURS}{free[:4]}8{free[4:7]}8{free[7:10]}{free[20:24]}{index:08x}"
        mark = Mark(str(UUID(digits)), index)
        self._said.append(mark)
        return mark.uuid


def read_mark(uuid: str) -> Mark | None:
    """None for what is no line of ours: of Claude, or of a person."""
    return Mark(uuid, int(uuid[-8:], 16)) if _MARK.fullmatch(uuid) else None
