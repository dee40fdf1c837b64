# Generated from `_async/settling.py` by `scripts/unasync.py`: do not edit.
"""Waits a moment whether something that is over goes on after all."""

from __future__ import annotations

from sandbox_agent_client._sync._backend import Background, Event
from sandbox_agent_client._sync.interrupt import Interrupt

__all__ = ["Settling"]


class Settling:
    """From `begin` on the stream of the interrupt has so long; `end` it before."""

    def __init__(self, interrupt: Interrupt, *, grace_s: float) -> None:
        self._interrupt = interrupt
        self._grace_s = grace_s
        self._goes_on: Event | None = None
        self._background: Background | None = None
        self.is_over = False
        """The time has passed, and the stream was ended."""

    def begin(self) -> None:
        if self._goes_on is None:
            self._goes_on = Event()
            self._background = Background("sandbox-agent waits for a follow-up", self._wait)

    def end(self) -> None:
        if self._goes_on is not None and self._background is not None:
            self._goes_on.set()
            self._background.stop()
        self._goes_on = self._background = None

    def _wait(self) -> None:
        goes_on = self._goes_on
        if goes_on is not None and not goes_on.wait(self._grace_s):
            self.is_over = True
            self._interrupt.set()
