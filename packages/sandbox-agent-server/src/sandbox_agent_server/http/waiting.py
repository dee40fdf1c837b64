"""Requests that wait for something, as long as their client does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from sandbox_agent_server.http.stream import StreamCounter, first_of, until_disconnected
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Batch

__all__ = ["unless_it_leaves", "wait_for_entries"]

Result = TypeVar("Result")


async def unless_it_leaves(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` returns. It is cancelled when the client leaves; the body must have been read before.

    Raises: ClientDisconnect, and what `work` raises.
    """
    task = asyncio.current_task()
    assert task is not None
    has_left = False

    def leave(_watch: asyncio.Task[None]) -> None:
        nonlocal has_left
        has_left = True
        task.cancel()

    # One task beside the request's own: this is in the way of every command that is run.
    watch = asyncio.create_task(until_disconnected(request.receive), name="client")
    watch.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if not has_left:
            raise
        task.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()


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
