"""Time that passes when the test says so."""

from __future__ import annotations

import asyncio

import pytest

__all__ = ["StillClock"]


class StillClock:
    """The running loop's: whatever is to happen later happens when it is moved there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self._now)

    async def move(self, seconds: float) -> None:
        self._now += seconds
        for _ in range(10):
            await asyncio.sleep(0)
