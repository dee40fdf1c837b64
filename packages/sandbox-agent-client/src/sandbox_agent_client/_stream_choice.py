"""Over what the events of a server come, and what was learnt of the network in between. Without I/O."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Literal, get_args

from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError
from sandbox_agent_core.spi.provider import StreamKind

__all__ = ["HEARTBEAT_S", "Attempt", "StreamChoice", "TransportKind", "silence_after"]

logger = logging.getLogger(__name__)

TransportKind = Literal["auto", "sse", "ws", "poll"]
"""`auto`: server-sent events, and where a proxy holds those back a WebSocket, and then long polling."""

HEARTBEAT_S: Final = 10.0
"""Of a server that does not say how often it sends one."""
SHORTEST_SILENCE_S: Final = 1.0
ENOUGH_STRIKES: Final = 2
REMARK_EVERY_S: Final = 60.0
LONGEST_POLL_S: Final = 20.0
"""How long a page of events is waited for: less than what proxies give a request."""
SHORTEST_POLL_S: Final = 1.0

_LADDER: Final[tuple[StreamKind, ...]] = ("sse", "ws", "poll")
_NAMES: Final = {"sse": "server-sent events", "ws": "a WebSocket", "poll": "long polling"}


def silence_after(heartbeat_s: float) -> float:
    """How long a stream may bring nothing: two heartbeats."""
    return max(SHORTEST_SILENCE_S, 2 * heartbeat_s)


class Attempt:
    """One connection, and what came of it."""

    def __init__(self, kind: StreamKind, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.kind = kind
        self.is_open = False
        """What opens it has come through: for a WebSocket its handshake, else the first byte."""
        self.has_heard = False
        self._clock = clock
        self._began_at = clock()

    def opened(self) -> None:
        """The server's answer has begun."""
        self.is_open = self.is_open or self.kind == "ws"

    def heard(self) -> None:
        """A batch has come, be it only a heartbeat."""
        self.is_open = self.has_heard = True

    @property
    def age_s(self) -> float:
        return self._clock() - self._began_at


class StreamChoice:
    """One for all streams of a client, whatever task or thread they are in."""

    def __init__(
        self,
        wanted: TransportKind = "auto",
        *,
        first: StreamKind | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first`: what is known of the network before anything was tried.

        Raises:
            InvalidRequest: `wanted` is none.
        """
        if wanted not in get_args(TransportKind):
            expected = ", ".join(map(repr, get_args(TransportKind)))
            raise InvalidRequest(f"transport={wanted!r}: use one of {expected}.")
        self._wanted = wanted
        self._ladder = _LADDER[_LADDER.index(first) :] if first else _LADDER
        if wanted != "auto":
            self._ladder = (wanted,)
        self._clock = clock
        self._strikes = 0
        self._remarked_at: float | None = None
        self._lock = threading.Lock()
        self.poll_s = LONGEST_POLL_S

    @property
    def kind(self) -> StreamKind:
        return self._ladder[0]

    def worked(self, attempt: Attempt, *, heartbeat_s: float) -> None:
        """Something came over it. Its first words prove little: a proxy that collects lets go of them, too."""
        if attempt.age_s >= heartbeat_s / 2:
            self._strikes = 0

    def failed(
        self, attempt: Attempt, failure: SandboxAgentError, *, is_silent: bool, has_missed: bool
    ) -> bool:
        """It brought nothing, while the server answers when it is asked. True: another kind comes next.

        `has_missed`: there were events that it should have brought.
        """
        with self._lock:
            if attempt.kind != self.kind:
                return True  # another stream has found out before
            self._strikes += _strikes(attempt, is_silent=is_silent, has_missed=has_missed)
            if self._strikes < ENOUGH_STRIKES:
                return False
            if len(self._ladder) == 1:
                self._remark(failure)
                return False
            held, self._ladder = self._ladder[0], self._ladder[1:]
            self._strikes = 0
        logger.warning(
            "no events come over %s, though the server answers (%s): something in between holds them back or cuts "
            "them off. Trying %s; `transport=%r` does so from the start.",
            _NAMES[held],
            failure.message,
            _NAMES[self.kind],
            self.kind,
        )
        return True

    def poll_was_cut(self) -> None:
        """Whatever is in between gives a request less time than we took."""
        with self._lock:
            self.poll_s = max(SHORTEST_POLL_S, self.poll_s / 2)

    def _remark(self, failure: SandboxAgentError) -> None:
        now = self._clock()
        if self._remarked_at is not None and now - self._remarked_at < REMARK_EVERY_S:
            return
        self._remarked_at = now
        advice = "" if self._wanted in ("auto", "poll") else ' `transport="auto"` finds a way.'
        logger.warning(
            "no events come over %s, though the server answers (%s): they are fetched now and then, and late.%s",
            _NAMES[self.kind],
            failure.message,
            advice,
        )


def _strikes(attempt: Attempt, *, is_silent: bool, has_missed: bool) -> int:
    if is_silent:
        return 1 if attempt.has_heard else ENOUGH_STRIKES
    if not attempt.is_open:
        return 1
    return int(has_missed and not attempt.has_heard)
