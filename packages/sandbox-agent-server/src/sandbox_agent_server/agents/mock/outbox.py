"""What the agent has said and nobody has read yet: in order, and never much."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from sandbox_agent_core.frames import Frame

__all__ = ["Outbox", "Written"]

Written = Frame | bytes
"""A frame, or a line that is none."""


class Outbox:
    """`put` waits until the batch before is taken, as a process waits for its pipe; `put_now` does not."""

    def __init__(self) -> None:
        self._batches: deque[list[Written]] = deque()
        self._is_ended = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def put_now(self, *written: Written) -> None:
        """For answers, of which there are no more than questions."""
        self._batches.append(list(written))
        self._filled.set()

    async def put(self, batch: list[Written]) -> None:
        while self._batches and not self._is_ended:
            self._emptied.clear()
            await self._emptied.wait()
        self._batches.append(batch)
        self._filled.set()

    def end(self) -> None:
        """Nothing more will come; what is there can still be read."""
        self._is_ended = True
        self._filled.set()
        self._emptied.set()

    async def batches(self) -> AsyncIterator[list[Written]]:
        while True:
            while self._batches:
                batch = self._batches.popleft()
                if not self._batches:
                    self._emptied.set()
                yield batch
            if self._is_ended:
                return
            self._filled.clear()
            await self._filled.wait()
