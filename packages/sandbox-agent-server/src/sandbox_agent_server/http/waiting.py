"""Long polling: a page of a log that has nothing to show yet waits until it has."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Receive

from sandbox_agent_server.http.stream import StreamCounter, first_of, until_disconnected
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Batch

__all__ = ["wait_for_entries"]


async def wait_for_entries(
    log: SessionLog, after: int, *, timeout_s: float, counter: StreamCounter, receive: Receive
) -> None:
    """Until the log has something after the cursor, is closed, the client has left, or the time is over.

    It counts as an open stream.

    Raises:
        LimitReached: there are too many.
    """
    if log.last_seq > after or log.is_closed:
        return
    counter.check()
    with counter.hold():
        change = _Change()
        # At once, and not in the task that waits: what is written before that begins would be missed.
        log.attach(change)
        try:
            await first_of(change.wait(timeout_s), until_disconnected(receive))
        finally:
            log.detach(change)


class _Change:
    """Told of the next step of a log."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()

    async def wait(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._happened.wait()

    def follow(self, batch: Batch) -> None:
        del batch
        self._happened.set()

    def end(self) -> None:
        self._happened.set()
