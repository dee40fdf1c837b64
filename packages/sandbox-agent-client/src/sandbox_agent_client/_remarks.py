"""What is said in the log while somebody waits for a stream and nothing comes: now and then, and never nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Remarks"]

logger = logging.getLogger(__name__)

DOWN_AFTER_S: Final = 5.0
"""Until it is remarked that there is no connection: most come back at once."""
DOWN_EVERY_S: Final = 30.0
QUIET_EVERY_S: Final = 300.0
"""Between two remarks that a turn is waited for in which nothing happens."""


class Remarks:
    def __init__(
        self, name: str, *, is_awaited: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`name`: of what is followed."""
        self._name = name
        self._is_awaited = is_awaited
        self._clock = clock
        self._heard_at = self._quiet_said_at = clock()
        self._down_said_at: float | None = None

    def brought(self) -> None:
        """An event has come."""
        self._heard_at = self._quiet_said_at = self._clock()
        self._down_said_at = None

    def beat(self) -> None:
        """Only a heartbeat has come."""
        self._down_said_at = None
        now = self._clock()
        if self._is_awaited and now - self._quiet_said_at >= QUIET_EVERY_S:
            self._quiet_said_at = now
            logger.warning(
                "%s: a turn is waited for, and nothing has happened in it for %.0f s. The server answers; "
                "`session.cancel()` ends the turn.",
                self._name,
                now - self._heard_at,
            )

    def failed(self, reason: str) -> None:
        """There is no connection, and it is tried again."""
        now = self._clock()
        if self._down_said_at is None:
            self._down_said_at = now - DOWN_EVERY_S + DOWN_AFTER_S
            logger.info("%s: %s; connecting again", self._name, reason)
        elif now - self._down_said_at >= DOWN_EVERY_S:
            self._down_said_at = now
            logger.warning("%s: there is no connection, trying on: %s", self._name, reason)
