"""Waiting for the process and for the adapter's own frames at once, losing neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

__all__ = ["LineWaiter"]


class LineWaiter:
    """Lines are asked for only while somebody waits: between waits the process is held back.

    One batch may be on its way when the bell rings first; the next wait gets it.
    """

    def __init__(self, bell: asyncio.Event) -> None:
        self._bell = bell
        self._ringing: asyncio.Task[bool] | None = None
        self._reading: asyncio.Task[list[bytes] | None] | None = None

    async def next(self, lines: AsyncIterator[list[bytes]] | None) -> list[bytes] | None:
        """The next lines; none when only the bell rang; None at their end."""
        if self._reading is None and lines is not None:
            self._reading = asyncio.create_task(_next(lines))
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._bell.wait())
        tasks = [task for task in (self._reading, self._ringing) if task is not None]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if self._ringing.done():
            self._ringing = None
            self._bell.clear()
        if self._reading is None or not self._reading.done():
            return []
        done, self._reading = self._reading, None
        return done.result()

    def stop(self) -> None:
        for task in (self._reading, self._ringing):
            if task is not None:
                task.cancel()


async def _next(lines: AsyncIterator[list[bytes]]) -> list[bytes] | None:
    return await anext(lines, None)
