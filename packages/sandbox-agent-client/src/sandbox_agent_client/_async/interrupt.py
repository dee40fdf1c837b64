"""Ending a stream from outside: wakes its waiting and cuts the connection it reads from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox_agent_client._async._backend import Event
from sandbox_agent_client._network import cut

__all__ = ["Interrupt"]


class Interrupt:
    """Set once, from any task or thread; then its stream ends."""

    def __init__(self) -> None:
        self._event = Event()
        self._connection: Any = None
        # A thread lock in both worlds: it is never held while waiting.
        self._lock = threading.Lock()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        with self._lock:
            self._event.set()
            if self._connection is not None:
                cut(self._connection)

    async def sleep(self, seconds: float) -> None:
        """Ends early when it is set."""
        await self._event.wait(seconds)

    @contextmanager
    def guarding(self, connection: Any | None) -> Iterator[None]:
        """While inside, `set` cuts the connection."""
        self.guard(connection)
        try:
            yield
        finally:
            self.guard(None)

    def guard(self, connection: Any | None) -> None:
        """From now on it is this connection that `set` cuts."""
        with self._lock:
            self._connection = connection
            if connection is not None and self._event.is_set():
                cut(connection)
