"""The actor that runs a batch: it outlives its driver, and when it dies, a new one goes on with what is in the directory.

Ray makes a detached actor again when its process or its node has died, but repeats no call to it, and ends the actors
that it had made. So all that it does begins in its constructor, from the directory alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbox_agent_client.batch.engine import Budget
from sandbox_agent_client.batch.handout import Handout
from sandbox_agent_core.errors import InternalError, SandboxAgentError
from sandbox_agent_core.ids import new_id

from sandbox_agent_ray import _sdk as ray
from sandbox_agent_ray.crew import Crew
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import End, Happened, News

__all__ = ["Coordinator"]

logger = logging.getLogger(__name__)

NEWS_WAIT_S: Final = 10.0
"""How long a driver's question is held when there is nothing new."""
LINGER_S: Final = 60.0
"""How long the end can be asked for. A driver that comes later finds all of it in the directory."""


class Coordinator:
    async def __init__(self, directory: str) -> None:  # type: ignore[misc]  # Ray awaits it
        """Raises: StorageError."""
        self._directory = JobDirectory(Path(directory))
        job = self._directory.load()
        here = await self._directory.all()
        self._handout = Handout(
            job.plan,
            [*job.known, *here],
            _what_is_left(job),
            clock=time.monotonic,
            ended={result.trial for result in here},
        )
        self._crew = Crew(
            job,
            self._directory,
            self._handout,
            is_first=self._directory.begin(),
            tell=self._tell,
        )
        self._life = new_id("life")
        self._happened: list[Happened] = []
        self._changed = asyncio.Event()
        self._end: End | None = None
        self._working = asyncio.create_task(self._crew.work())
        self._living = asyncio.create_task(self._live())

    async def news(self, life: str, seen: int) -> News:
        """What happened since; waits for a while when that is nothing."""
        if life != self._life:
            seen = 0
        if seen == len(self._happened) and self._end is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), NEWS_WAIT_S)
        news = self._happened[seen:]
        return News(life=self._life, seen=seen + len(news), happened=news, end=self._end)

    async def tell(self, happened: Happened) -> None:
        """Of a worker."""
        self._tell(happened)

    async def stop(self) -> None:
        """No further trial begins."""
        self._crew.stop()

    async def cancel(self) -> None:
        """What runs is cancelled; the news say when it is over. Asked for again, the clean-up is left alone."""
        if not self._working.cancelling():
            self._working.cancel()

    async def _live(self) -> None:
        self._end = await self._ended()
        self._wake()
        await asyncio.sleep(LINGER_S)
        ray.kill(ray.me())

    async def _ended(self) -> End:
        try:
            await self._working
        except asyncio.CancelledError:
            return End(stopped="it was cancelled")
        except SandboxAgentError as exc:
            return End(error=exc)
        except Exception as exc:
            logger.exception("the batch in %s failed", self._directory.path)
            return End(error=InternalError(f"{type(exc).__name__}: {exc}"))
        left = "it was interrupted" if self._handout.left else None
        return End(stopped=self._handout.stopped or left)

    def _tell(self, happened: Happened) -> None:
        self._happened.append(happened)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _what_is_left(job: Job) -> Budget:
    seconds = job.budget.max_seconds
    if seconds is None:
        return job.budget
    return replace(job.budget, max_seconds=seconds - (time.time() - job.began_at))
