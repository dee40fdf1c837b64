"""Threads of their own for files: a file system that hangs takes none of those that others need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
        future = asyncio.ensure_future(
            asyncio.get_running_loop().run_in_executor(
                self._executor, lambda: work(*args, **kwargs)
            )
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                try:
                    await asyncio.wait({future})
                except asyncio.CancelledError:
                    continue
            if undo is not None and not future.cancelled() and future.exception() is None:
                undo(future.result())
            raise

    def shut_down(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
