"""The uuids of our lines to Claude. They say which prompt of which session a line is, because nothing else does
when the session is gone on with by another process: Claude keeps them in its transcript."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from uuid import UUID

__all__ = ["Mark", "Marks", "is_mark", "read_mark"]

_OWNER_DIGITS: Final = 12
_VERSION: Final = "8"  # of UUIDs whose content is up to whoever makes them
_VARIANT: Final = "8"
_MARK: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}")


class Mark(NamedTuple):
    uuid: str
    prompt: int
    """Its index, from 0; what is said into its turn has the same."""


class Marks:
    """What was said in the conversation of a session, in this order."""

    def __init__(
        self, session_id: str, *, new_id: Callable[[], str], known: Iterable[Mark] | None = ()
    ) -> None:
        """`known`: what was said before this process. None: that cannot be known, so nothing is counted."""
        self._owner = _owner(session_id)
        self._new_id = new_id
        self._counts = known is not None
        self._said = list(known or ())
        self._next = max((mark.prompt for mark in self._said), default=-1) + 1

    def prompt(self) -> str:
        """The uuid of the next prompt."""
        self._next += 1
        return self._said_in(self._next - 1)

    def steer(self) -> str:
        """The uuid of what is said into the turn of the last prompt."""
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
        self._said = [mark for mark in self._said if mark.prompt < index]
        self._next = min(self._next, index)

    def move_to(self, session_id: str) -> None:
        """After `/clear` the session has another id, and its conversation is a new one."""
        self._owner = _owner(session_id)
        self._said.clear()

    def _said_in(self, index: int) -> str:
        if not self._counts:
            return self._new_id()
        free = self._new_id().replace("-", "")
        digits = f"{self._owner}{_VERSION}{free[:3]}{_VARIANT}{free[3:10]}{index:08x}"
        mark = Mark(str(UUID(digits)), index)
        self._said.append(mark)
        return mark.uuid


def read_mark(uuid: str, *, session_id: str) -> Mark | None:
    """None for what is no line of this session: of Claude, of a person, or of the session that it is a fork of."""
    digits = uuid.replace("-", "")
    if not is_mark(uuid) or not digits.startswith(_owner(session_id)):
        return None
    return Mark(uuid, int(digits[24:], 16))


def is_mark(uuid: str) -> bool:
    """Also of another session."""
    return _MARK.fullmatch(uuid) is not None


def _owner(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()[:_OWNER_DIGITS]
