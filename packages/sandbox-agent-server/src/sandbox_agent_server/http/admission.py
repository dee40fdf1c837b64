"""Which connections stay when there are too many: one that only waits makes room for the next.

So whoever holds connections without saying anything keeps nobody else out.
"""

from __future__ import annotations

import logging
import resource
from typing import Protocol

from sandbox_agent_server.limits import Limits

__all__ = ["Admission", "Waiting", "connection_limit"]

logger = logging.getLogger(__name__)


class Waiting(Protocol):
    """A connection without a request that is being answered."""

    def make_room(self) -> None:
        """Close."""
        ...


class Admission:
    def __init__(self, limits: Limits, *, max_connections: int) -> None:
        self.limits = limits
        self.max_connections = max_connections
        self._head_bytes = 0
        self._waiting: dict[Waiting, int] = {}
        """The longest waiting first, with the bytes of a head that is not whole."""
        self._was_full = False

    def admit(self, count_open: int) -> bool:
        """Whether one more may come: there is room for it, or some was made. `count_open` counts it too."""
        if count_open <= self.max_connections:
            self._was_full = False
            return True
        if not self._was_full:
            self._was_full = True
            logger.warning(
                "%d connections are open (max_connections): closing those that wait, refusing more",
                self.max_connections,
            )
        return self._make_room()

    def waits(self, connection: Waiting) -> None:
        self.works(connection)
        self._waiting[connection] = 0

    def works(self, connection: Waiting) -> None:
        """It waits no longer: a request is being answered, or it is gone."""
        self._head_bytes -= self._waiting.pop(connection, 0)

    def holds(self, connection: Waiting, head_bytes: int) -> None:
        """What one that waits has sent of a head. Whoever waits longest pays for what is too much."""
        held = self._waiting.get(connection)
        if held is None:
            return
        self._waiting[connection] = head_bytes
        self._head_bytes += head_bytes - held
        while self._head_bytes > self.limits.max_heads_bytes and self._make_room(holding=True):
            pass

    def _make_room(self, *, holding: bool = False) -> bool:
        for connection, head_bytes in self._waiting.items():
            if head_bytes or not holding:
                self.works(connection)
                connection.make_room()
                return True
        return False


def connection_limit(limits: Limits) -> int:
    """Never more than half of what the process may open: agents need descriptors too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return limits.max_connections
    return max(1, min(limits.max_connections, files // 2))
