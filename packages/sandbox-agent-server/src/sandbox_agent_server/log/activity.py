"""What is written to all logs: who watches it, and one clock for it.

Times of entries never fall, over all logs of a server: so a time says of every session what came before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["MAX_LEAD_MS", "Activity", "LogWatcher"]

MAX_LEAD_MS: Final = 3_600_000
"""An entry that is further ahead of the machine's clock than this is of a clock that was wrong. Such a log goes on
from there by itself, and holds no other up."""


class LogWatcher(Protocol):
    """Told of every step of every session, within the append."""

    def written(self, session_id: str, first_seq: int, offset: int, time_ms: int) -> None:
        """Its first entry has this seq, and its line is at this offset. Must not raise, and must not append."""
        ...

    def end(self) -> None:
        """Nothing comes any more."""
        ...


class Activity:
    def __init__(
        self, *, last_ms: int = 0, wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        """`last_ms`: time of the newest entry that is there already."""
        self._wall_ms = wall_ms
        self._last_ms = last_ms
        self._watchers: dict[LogWatcher, None] = {}
        self.is_closed = False

    @property
    def last_ms(self) -> int:
        """Time of the newest entry, at least; all that come have this or a later one."""
        wall_ms = self._wall_ms()
        if self._last_ms - wall_ms > MAX_LEAD_MS:
            self._last_ms = wall_ms
        return self._last_ms

    @property
    def now_ms(self) -> int:
        """The time of what happens now."""
        return max(self._wall_ms(), self.last_ms)

    def written(self, session_id: str, first_seq: int, offset: int, time_ms: int) -> None:
        """A step of the log of a session is in its file."""
        if self._last_ms < time_ms <= self._wall_ms() + MAX_LEAD_MS:
            self._last_ms = time_ms
        for watcher in self._watchers:
            watcher.written(session_id, first_seq, offset, time_ms)

    def watch(self, watcher: LogWatcher) -> None:
        if self.is_closed:
            watcher.end()
        else:
            self._watchers[watcher] = None

    def unwatch(self, watcher: LogWatcher) -> None:
        self._watchers.pop(watcher, None)

    def close(self) -> None:
        self.is_closed = True
        watchers, self._watchers = self._watchers, {}
        for watcher in watchers:
            watcher.end()
