# Generated from `_async/stream.py` by `scripts/unasync.py`: do not edit.
"""A log, or all of them, as a live stream that survives its connections: every entry once, in order."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing, suppress
from typing import Any

from sandbox_agent_core.api.events import EventPage, FeedPage
from sandbox_agent_core.errors import (
    ProviderTimeout,
    ProviderUnavailable,
    SandboxAgentError,
    SandboxAsleep,
    SandboxNotFound,
    ServerUnreachable,
    Timeout,
)
from sandbox_agent_core.frames.entry import LogEntry

from sandbox_agent_client._calls import Call
from sandbox_agent_client._calls.events import AnySource
from sandbox_agent_client._failures import is_silence
from sandbox_agent_client._places import Place
from sandbox_agent_client._remarks import Remarks
from sandbox_agent_client._resume import Reconnection
from sandbox_agent_client._stream_choice import Attempt
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.transport import Transport

__all__ = ["follow"]

logger = logging.getLogger(__name__)

ASLEEP_POLL_S = 0.2
ASLEEP_LOOK_S = 10.0
"""How often a stream asks whether a sandbox sleeps that this client did not pause."""
PAGE_ENTRIES = 1000
UNHEARD_BEFORE_ASKING = 2
"""In a row, of connections that brought nothing: one is what every restart of a server looks like."""


def follow(
    transport: Transport,
    source: AnySource,
    place: Place,
    *,
    interrupt: Interrupt,
    reconnect_timeout_s: float | None,
    is_awaited: bool = False,
) -> Generator[LogEntry, None, None]:
    """Entries behind a place, then live ones; the place moves with them. Ends only when `interrupt` is set or the
    client closed.

    A stream that brings nothing is not believed: the log itself is asked, and what it has is given. When it
    answers, something in between holds streams back, and the next kind of stream is tried.

    While its sandbox sleeps the stream waits; `is_awaited` (somebody waits for a turn) wakes it.

    Raises:
        SandboxAsleep: it is awaited, and the sandbox is not to be woken.
        ServerUnreachable: no connection within the deadline.
        StreamGap: entries are missing, and a new connection did not bring them.
        SandboxAgentError: the server refused (the session is gone, the token is wrong).
    """
    following = _Following(
        transport,
        source,
        place,
        interrupt,
        Reconnection(timeout_s=reconnect_timeout_s),
        is_awaited=is_awaited,
    )
    with closing(following.entries()) as entries:
        for entry in entries:
            yield entry


class _Following:
    def __init__(
        self,
        transport: Transport,
        source: AnySource,
        place: Place,
        interrupt: Interrupt,
        reconnection: Reconnection,
        *,
        is_awaited: bool,
    ) -> None:
        self._transport = transport
        self._source = source
        self._place = place
        self._interrupt = interrupt
        self._reconnection = reconnection
        self._is_awaited = is_awaited
        self._remarks = Remarks(source.name, is_awaited=is_awaited)
        self._asleep_s = 0.0
        self._unheard = 0
        """Connections in a row that brought nothing."""
        self._failure: SandboxAgentError | None = None

    def _is_over(self) -> bool:
        return self._interrupt.is_set or self._transport.is_closed

    def entries(self) -> Generator[LogEntry, None, None]:
        while not self._is_over():
            if self._transport.whereabouts.is_asleep:
                self._sleep()
                continue
            attempt = Attempt(self._transport.choice.kind)
            with closing(self._connection(attempt)) as entries:
                for entry in entries:
                    yield entry
            if not self._is_over() and self._must_ask(attempt):
                with closing(self._missed(attempt)) as entries:
                    for entry in entries:
                        yield entry
            if self._failure is not None:
                delay_s = self._reconnection.delay_after(self._failure)
                self._remarks.failed(self._failure.message)
                logger.info(
                    "the events of %s broke off, going on in %.1f s: %s",
                    self._source.name,
                    delay_s,
                    self._failure.message,
                )
                self._interrupt.sleep(delay_s)

    def _sleep(self) -> None:
        """A stream wakes no sandbox, unless somebody waits for what it brings. Then the count starts anew."""
        whereabouts = self._transport.whereabouts
        if whereabouts.is_paused_here:
            self._interrupt.sleep(ASLEEP_POLL_S)
        elif self._is_awaited:
            try:
                whereabouts.ready(wakes=True)
            except (SandboxAsleep, SandboxNotFound):
                raise
            except SandboxAgentError as exc:
                self._interrupt.sleep(self._reconnection.delay_after(exc))
                return
        else:
            self._interrupt.sleep(ASLEEP_POLL_S)
            self._asleep_s += ASLEEP_POLL_S
            if self._asleep_s >= ASLEEP_LOOK_S:
                self._asleep_s = 0.0
                with suppress(SandboxAsleep, ProviderTimeout, ProviderUnavailable):
                    whereabouts.look()  # somebody else may have woken it
        self._reconnection.alive()

    def _connection(self, attempt: Attempt) -> Generator[LogEntry, None, None]:
        """What comes over one connection; then the failure says why it is over."""
        try:
            if self._reconnection.is_down:
                self._transport.whereabouts.look(restarts=self._unheard >= UNHEARD_BEFORE_ASKING)
            stream = self._transport.stream(
                self._source, self._place.after, self._interrupt, attempt
            )
            with stream as batches:
                self._opened(attempt)
                for batch in batches:
                    self._heard(attempt)
                    for wire in batch:
                        entry = self._place.accept(wire)
                        if entry is not None:
                            self._reconnection.alive()
                            self._remarks.brought()
                            yield entry
            self._failure = ServerUnreachable("The server closed the event stream.")
        except SandboxAgentError as exc:
            self._failure = exc

    def _opened(self, attempt: Attempt) -> None:
        attempt.opened()
        if attempt.kind != "poll":  # of which nothing was asked yet
            self._reconnection.connected()

    def _heard(self, attempt: Attempt) -> None:
        attempt.heard()
        self._remarks.beat()
        self._transport.choice.worked(attempt, heartbeat_s=self._transport.heartbeat_s)
        if attempt.kind == "poll":
            self._reconnection.alive()

    def _must_ask(self, attempt: Attempt) -> bool:
        """The stream brings nothing, and that is not an answer of the server's."""
        assert self._failure is not None
        is_silent = is_silence(self._failure)
        self._unheard = 0 if attempt.has_heard and not is_silent else self._unheard + 1
        is_unheard = self._unheard >= UNHEARD_BEFORE_ASKING
        return is_silent or (is_unheard and isinstance(self._failure, (ServerUnreachable, Timeout)))

    def _missed(self, attempt: Attempt) -> Generator[LogEntry, None, None]:
        """What the log has. After that there is a failure only when the same kind of stream is to be tried again."""
        try:
            page = self._page()
            # Before anything is given: whoever has its turn's end looks no further.
            self._judge(attempt, has_missed=bool(page.events))
            while True:
                for wire in page.events:
                    entry = self._place.accept(wire)
                    if entry is not None:
                        yield entry
                self._place.accept({"cursor": page.next_cursor})
                if not page.has_more:
                    return
                page = self._page()
        except SandboxAgentError as exc:
            self._failure = exc  # it is not the stream alone

    def _page(self) -> EventPage | FeedPage:
        call: Call[Any] = self._source.page(self._place.after, limit=PAGE_ENTRIES)
        page: EventPage | FeedPage = self._transport.call(call, wakes=False)
        return page

    def _judge(self, attempt: Attempt, *, has_missed: bool) -> None:
        """The server answers, so it is the stream that does not work."""
        assert self._failure is not None
        self._reconnection.reachable()
        is_another_next = self._transport.choice.failed(
            attempt, self._failure, is_silent=is_silence(self._failure), has_missed=has_missed
        )
        if is_another_next:
            self._unheard, self._failure = 0, None
