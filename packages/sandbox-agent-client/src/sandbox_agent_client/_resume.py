"""What a stream that survives its connections has to remember, without I/O: a cursor and a deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sandbox_agent_core.errors import SandboxAgentError, ServerUnreachable, StreamGap

__all__ = ["RECONNECT_TIMEOUT_S", "Cursor", "Reconnection", "is_fatal"]

BACKOFF_BASE_S = 0.1
BACKOFF_FACTOR = 2.0
BACKOFF_MAX_S = 5.0
RECONNECT_TIMEOUT_S = 60.0
"""Default of how long a stream tries to come back."""
SETTLED_S = 1.0
"""A connection that lasted this long was one, even if nothing came over it."""

# Request Timeout, Too Early, Too Many Requests: the same request may succeed later.
_PASSING_STATUSES = frozenset({408, 425, 429})


def is_fatal(error: SandboxAgentError) -> bool:
    """True when trying again cannot help: the server understood and refused."""
    status = error.http_status
    return 400 <= status < 500 and status not in _PASSING_STATUSES


class Cursor:
    """The last seq that was delivered. What arrives twice is dropped, what is missing is an error."""

    def __init__(self, after: int) -> None:
        self.after = after

    def accept(self, seq: int) -> bool:
        """True when the entry is the next one, False when it was delivered before.

        Raises:
            StreamGap: entries between the cursor and this one are missing.
        """
        if seq <= self.after:
            return False
        if seq != self.after + 1:
            raise StreamGap(
                f"Expected seq {self.after + 1}, got {seq}: a proxy or the server lost events.",
                expected=self.after + 1,
                got=seq,
            )
        self.after = seq
        return True


class Reconnection:
    """Decides after every failure whether to go on, and after how long."""

    def __init__(
        self,
        *,
        timeout_s: float | None = RECONNECT_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._jitter = jitter
        self._down_since: float | None = None
        self._attempts = 0
        self._connected_at: float | None = None
        self._gap_at: int | None = None

    @property
    def is_down(self) -> bool:
        """The last thing that happened was a failure."""
        return self._down_since is not None

    def connected(self) -> None:
        """A connection stands. That alone proves little: a broken proxy accepts and drops it."""
        self._connected_at = self._clock()

    def alive(self) -> None:
        """A new entry arrived: the next failure starts a new count."""
        self._down_since = None
        self._attempts = 0

    def reachable(self) -> None:
        """The server answers, if not in this way: the deadline starts anew, and the pauses do not."""
        self._down_since = None

    def delay_after(self, error: SandboxAgentError) -> float:
        """Seconds until the next attempt: doubling, between half and all of it by chance.

        Raises:
            SandboxAgentError: `error` itself, when it is fatal.
            ServerUnreachable: the deadline has passed; its cause is `error`.
        """
        if isinstance(error, StreamGap):
            self._check_gap(error)
        elif is_fatal(error):
            raise error
        now = self._clock()
        if self._connected_at is not None and now - self._connected_at >= SETTLED_S:
            self.alive()
        self._connected_at = None
        if self._down_since is None:
            self._down_since = now
        delay = min(BACKOFF_MAX_S, BACKOFF_BASE_S * BACKOFF_FACTOR**self._attempts)
        delay *= 0.5 + self._jitter() / 2
        self._attempts = min(self._attempts + 1, 32)
        if self._timeout_s is None:
            return delay
        left = self._timeout_s - (now - self._down_since)
        if left <= 0:
            raise ServerUnreachable(
                f"No connection for {self._timeout_s:g} s, the last failure was: {error}",
                timeout_s=self._timeout_s,
            ) from error
        return min(delay, left)

    def _check_gap(self, gap: StreamGap) -> None:
        # The log is complete on the server, so the first time a fresh connection from the cursor
        # heals what a proxy lost. The second time at the same place it will not.
        expected = gap.details.get("expected")
        if self._gap_at is not None and self._gap_at == expected:
            raise gap
        self._gap_at = expected
