"""Tells of ports that open and close. Nobody is told by the kernel: looking is all there is, once for all who watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_server.host.ports.listening import Listener, listeners

__all__ = ["PortWatch"]

logger = logging.getLogger(__name__)


class PortWatch:
    """Looks only while somebody watches."""

    def __init__(
        self, *, every_s: float, look: Callable[[], Sequence[Listener]] = listeners
    ) -> None:
        self._every_s = every_s
        self._look = look
        self._watchers = 0
        self._looker: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._seen: Sequence[Listener] = ()

    async def changes(self) -> AsyncGenerator[Sequence[Listener], None]:
        """What listens now, and again whenever that is something else. Who is slow sees the last of them.

        Raises: OperationNotSupported.
        """
        told = await asyncio.to_thread(self._look)
        self._watchers += 1
        try:
            await self._publish(told)
            if self._looker is None:
                self._looker = asyncio.create_task(self._keep_looking(), name="ports")
            yield told
            while True:
                async with self._changed:
                    while self._seen == told:
                        await self._changed.wait()
                    told = self._seen
                yield told
        finally:
            self._watchers -= 1
            if not self._watchers and self._looker is not None:
                self._looker.cancel()
                self._looker = None

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                found = await asyncio.to_thread(self._look)
            except SandboxAgentError as exc:
                logger.warning("cannot see what listens: %s", exc.message)
                continue
            await self._publish(found)

    async def _publish(self, found: Sequence[Listener]) -> None:
        if found != self._seen:
            async with self._changed:
                self._seen = found
                self._changed.notify_all()
