"""Threads of their own for files: a file system that hangs takes none of those that others need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

__all__ = ["FileThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class FileThreads:
    def __init__(self, count: int) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="files")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns. A thread cannot be cancelled: its end is waited for, so that nobody closes a
        descriptor that is in use."""
        return await self.run_undoing(None, work, *args, **kwargs)

    async def run_undoing(
        self,
        undo: Callable[[T], object] | None,
        work: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `run`. `undo` is for a result that nobody takes any more, because who waited was cancelled."""
        running = self._executor.submit(partial(work, *args, **kwargs))
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            await _until_done(running)
            if undo is not None and not running.cancelled() and running.exception() is None:
                undo(running.result())
            raise


async def _until_done(running: Future[T]) -> None:
    """However often who waits is cancelled."""
    loop, is_done = asyncio.get_running_loop(), asyncio.Event()
    running.add_done_callback(lambda _done: loop.call_soon_threadsafe(is_done.set))
    while not is_done.is_set():
        with suppress(asyncio.CancelledError):
            await is_done.wait()
