"""A cursor over all sessions: times, and the positions of those sessions of which a time does not say enough.

What is not named in `positions` was delivered up to the time of its range, and not beyond. So sessions in which
nothing happens take no room, however many they are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.ids import is_session_id

from sandbox_agent_server.jsonio import dumps, loads

__all__ = ["BEGINNING", "MAX_CURSOR_CHARS", "FeedCursor", "Range", "read_cursor"]

MAX_CURSOR_CHARS: Final = 16 * 1024
"""It travels in a header (`Last-Event-ID`) and in URLs."""
BEGINNING: Final = "0"
"""The cursor before everything that is kept."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Range:
    """Sessions in the order of their creation, up to one of them, and until when they were delivered."""

    until_ms: int
    last_session: str | None = None
    """None: up to the newest."""


@dataclass(frozen=True, slots=True)
class FeedCursor:
    ranges: tuple[Range, ...]
    """The last one is without an end. More than one while somebody catches up."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """Seq of the last entry that was delivered of a session."""

    def to_text(self) -> str:
        ranges = [[one.until_ms, one.last_session] for one in self.ranges]
        document = [_VERSION, ranges, dict(self.positions)]
        return base64.urlsafe_b64encode(dumps(document)).decode().rstrip("=")


def read_cursor(text: str) -> FeedCursor:
    """Raises: InvalidRequest for what is not one of ours."""
    if text == BEGINNING:
        return FeedCursor((Range(0),))
    try:
        if len(text) > MAX_CURSOR_CHARS:
            raise ValueError("it is too long")
        document = loads(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        )
        return _read(document)
    except (ValueError, TypeError, RecursionError, binascii.Error) as exc:
        raise InvalidRequest(
            f"`after` {text[:64]!r} is no cursor of `/v1/events`: give the `nextCursor` of a page, the `id` of a "
            f"stream, or {BEGINNING} for everything that is kept"
        ) from exc


def _read(document: Any) -> FeedCursor:
    version, ranges, positions = document
    if version != _VERSION or not ranges or not isinstance(positions, dict):
        raise ValueError("it is of another version")
    found = [Range(_number(until_ms), _id(last)) for until_ms, last in ranges]
    if found[-1].last_session is not None or any(one.last_session is None for one in found[:-1]):
        raise ValueError("its ranges do not cover everything")
    if not all(is_session_id(id) for id in positions):
        raise ValueError("a position of no session")
    return FeedCursor(tuple(found), {id: _number(seq) for id, seq in positions.items()})


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError("no number")
    return int(value)


def _id(value: Any) -> str | None:
    if value is not None and not is_session_id(value):
        raise ValueError("no session")
    session_id: str | None = value
    return session_id
