"""Tasks with an owner: every one is awaited or cancelled before its owner is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol, runtime_checkable

__all__ = ["TaskOwner"]

logger = logging.getLogger(__name__)


@runtime_checkable
class _Foreseen(Protocol):
    """An error with a `message` for people: that says all, and a traceback would be noise."""

    message: str


class TaskOwner:
    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._settle)
        return task

    async def cancel(self) -> None:
        """Cancel all but the caller's own task, and wait until they are gone."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, _Foreseen):
            logger.warning("%s: %s", task.get_name(), error.message)
        else:
            logger.error("task %r failed", task.get_name(), exc_info=error)
