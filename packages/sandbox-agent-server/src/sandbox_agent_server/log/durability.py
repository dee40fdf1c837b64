"""When what is written reaches the disk itself: with the kernel's leisure, or soon, off the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Literal

from sandbox_agent_server.log.file import LogFile
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["SYNC_EVERY_S", "Durability", "Syncer"]

logger = logging.getLogger(__name__)

Durability = Literal["process", "power"]
"""`process`: what was shown survives the death of the server. `power`: also a power failure, but for the
last second of a running turn."""

SYNC_EVERY_S: Final = 1.0


class Syncer:
    """Groups: one `fdatasync` for all that was appended to a file since its last."""

    def __init__(self, durability: Durability) -> None:
        self.is_on = durability == "power"
        """False: the kernel decides, and `written` need not be called."""
        self._dirty: set[LogFile] = set()
        self._now = asyncio.Event()
        self._tasks = TaskOwner("log")
        self._is_running = False

    def written(self, file: LogFile, *, at_once: bool) -> None:
        """Something was appended. `at_once`: do not wait for the second to pass."""
        self._dirty.add(file)
        if at_once:
            self._now.set()
        if not self._is_running:
            self._is_running = True
            self._tasks.spawn(self._run(), name="sync")

    async def close(self) -> None:
        """Sync what is left."""
        await self._tasks.cancel()
        await self._sync()

    async def _run(self) -> None:
        try:
            while self._dirty:
                try:
                    async with asyncio.timeout(SYNC_EVERY_S):
                        await self._now.wait()
                except TimeoutError:
                    pass
                self._now.clear()
                await self._sync()
        finally:
            self._is_running = False

    async def _sync(self) -> None:
        for file in tuple(self._dirty):
            self._dirty.discard(file)  # before: what is written meanwhile is for the next time
            try:
                await asyncio.to_thread(file.sync)
            except asyncio.CancelledError:
                self._dirty.add(file)
                raise
            except OSError as exc:
                # The next write to a broken disk fails too, and that one is told to callers.
                logger.error("%s is not on the disk: %s", file.path, exc)
