"""Tells before a sandbox ends by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sandbox_agent_client._async._backend import settle

__all__ = ["ENDING_BEFORE_S", "Ending"]

ENDING_BEFORE_S = 120.0
"""How long before the end it is told."""

OnEnding = Callable[[datetime], Awaitable[object] | object]


class Ending:
    """Somebody who wants to know, once for each end: a life that is prolonged ends again."""

    def __init__(self, callback: OnEnding, *, before_s: float) -> None:
        self._callback = callback
        self._before = timedelta(seconds=before_s)
        self._told: datetime | None = None

    def wait_s(self, ends_at: datetime) -> float | None:
        """Until it is due; None when it was told."""
        if self._told == ends_at:
            return None
        return max(0.0, (ends_at - self._before - datetime.now(UTC)).total_seconds())

    async def tell(self, ends_at: datetime) -> None:
        """Raises what the callback raises."""
        self._told = ends_at
        await settle(self._callback(ends_at))
