"""Clean-up that outlasts its caller's being cancelled, once or again."""

from __future__ import annotations

import asyncio
from typing import TypeVar

__all__ = ["outlast", "run_to_end"]

T = TypeVar("T")


async def outlast(task: asyncio.Future[T], *, timeout_s: float) -> None:
    """Wait until the task has ended, for at most that long.

    Raises:
        asyncio.CancelledError: the caller was cancelled meanwhile; the wait went on all the same.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    cancelled: asyncio.CancelledError | None = None
    while not task.done() and (left := deadline - loop.time()) > 0:
        try:
            await asyncio.wait([task], timeout=left)
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        raise cancelled


async def run_to_end(task: asyncio.Task[T], *, timeout_s: float) -> T:
    """The task's result. When the caller is cancelled, the task is cancelled once and may clean up for that long."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await outlast(task, timeout_s=timeout_s)
        raise
