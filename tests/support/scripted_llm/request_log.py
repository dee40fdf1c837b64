"""What agents asked the scripted model, for tests to look at and wait on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .actions import JSON

Outcome = Literal["open", "answered", "disconnected"]


@dataclass(slots=True)
class LoggedRequest:
    """One model request. `disconnected` proves that a cancel reached the model."""

    number: int
    method: str
    path: str
    api: str | None = None
    scenario: str | None = None
    step: int = 0
    stream: bool = False
    tools: list[str] = field(default_factory=list)
    body: JSON = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    outcome: Outcome = "open"
    time_s: float = field(default_factory=time.time)

    @property
    def model(self) -> str | None:
        return self.body.get("model")


class RequestLog:
    """Written by the server's threads, read by the test's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[LoggedRequest] = []

    def add(self, request: LoggedRequest) -> None:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def close(self, request: LoggedRequest, outcome: Outcome) -> None:
        with self._changed:
            request.outcome = outcome
            self._changed.notify_all()

    def snapshot(self) -> list[LoggedRequest]:
        with self._changed:
            return list(self._requests)

    def clear(self) -> None:
        with self._changed:
            self._requests.clear()

    def wait_for(
        self, matches: Callable[[LoggedRequest], bool], *, timeout_s: float
    ) -> LoggedRequest:
        """The first request that matches, now or within the time.

        Raises:
            TimeoutError: none did; the message lists what was asked instead.
        """

        def find() -> LoggedRequest | None:
            return next((request for request in self._requests if matches(request)), None)

        with self._changed:
            found = self._changed.wait_for(find, timeout_s)
        if found is None:
            seen = [(r.path, r.scenario, r.step, r.outcome) for r in self.snapshot()]
            raise TimeoutError(f"no such model request within {timeout_s} s; there were {seen}")
        return found
