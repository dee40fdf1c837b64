"""What happens in all sessions, as one stream with a cursor."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sandbox_agent_core.api.events import FeedPage
from sandbox_agent_core.events import Event
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._calls.events import EventSource
from sandbox_agent_client._places import AllSessionsPlace

__all__ = ["EventStream"]


class EventStream:
    """Of `client.events()`: iterate over it. Another iteration goes on where the last one was left.

    `cursor` is for `client.events(after=…)` in any process, now or another day. Behind it may be events that were given
    already, at most those of a second; `session_id` and `seq` of an event say which it is.
    """

    def __init__(
        self, connection: Connection, source: EventSource[FeedPage], after: str | None
    ) -> None:
        self._connection = connection
        self._source = source
        self._place = AllSessionsPlace(after)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} after {self.cursor!r}>"

    @property
    def cursor(self) -> str | None:
        """None: it has not begun."""
        return self._place.after

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        async with aclosing(self.entries()) as entries:
            async for entry in entries:
                event = project(entry)
                if event is not None:
                    yield event

    async def entries(self) -> AsyncGenerator[LogEntry, None]:
        """The same as `LogEntry`: raw JSON-RPC with session, seq, time and sender; also what is no event."""
        if self._place.after is None:
            # Whatever becomes of the first connection, from here on nothing is missed.
            page = await self._connection.call(self._source.page(None, limit=1))
            self._place.accept({"cursor": page.next_cursor})
        stream = self._connection.follow_source(self._source, self._place, Interrupt())
        async with aclosing(stream) as entries:
            async for entry in entries:
                yield entry
