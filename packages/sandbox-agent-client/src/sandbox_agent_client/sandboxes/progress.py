"""What a start is doing and how long each step took."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Startup", "StartupStep"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StartupStep:
    name: str
    seconds: float


class Startup:
    """Tells `report` each step with the time since the start: `[1.2 s] waiting for the server`."""

    def __init__(
        self, report: Callable[[str], Any] | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report = report
        self._clock = clock
        self._started_at = clock()
        self._current: tuple[str, float] | None = None
        self._steps: list[StartupStep] = []

    @property
    def steps(self) -> list[StartupStep]:
        """Those that are over, in order."""
        return list(self._steps)

    def step(self, name: str) -> None:
        """The step before it is over."""
        now = self._close()
        self._current = (name, now)
        self._tell(name, now)

    def done(self) -> None:
        self._tell("ready", self._close())

    def _close(self) -> float:
        now = self._clock()
        if self._current is not None:
            name, since = self._current
            self._steps.append(StartupStep(name, now - since))
            self._current = None
        return now

    def _tell(self, name: str, now: float) -> None:
        logger.info("%s, %.1f s after the start", name, now - self._started_at)
        if self._report is not None:
            self._report(f"[{now - self._started_at:.1f} s] {name}")
