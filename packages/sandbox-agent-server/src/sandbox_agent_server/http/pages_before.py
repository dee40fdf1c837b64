"""A page of events that ends in front of a seq: how a client shows the end of a long session before its beginning."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from sandbox_agent_server.http.large_answer import Body, json_body
from sandbox_agent_server.http.stream import StreamQuery
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.views import Shown, encode

__all__ = ["page_before"]

_CHUNK_ENTRIES: Final = 256
"""That are read first; then twice as many, because what shows little is mostly deltas."""
_MAX_CHUNK_ENTRIES: Final = 8192


async def page_before(log: SessionLog, query: StreamQuery, limit: int, max_bytes: int) -> Body:
    """At most `limit` events, and of about `max_bytes`, but at least one, if there is any."""
    assert query.before is not None
    end = min(query.before, log.last_seq + 1)
    page = _Page(limit, max_bytes)
    first, chunk = end, _CHUNK_ENTRIES
    while first > query.after + 1 and not page.is_full:
        begin = max(query.after + 1, first - chunk)
        part = await _between(log, query, begin, first, page.rest())
        first = part.first_seq or first if part.is_full else begin
        page.put_before(part)
        chunk = min(2 * chunk, _MAX_CHUNK_ENTRIES)
    has_more = b"true" if end <= log.last_seq else b"false"
    previous = b',"previousCursor":%d' % first if first > query.after + 1 else b""
    lines = b",".join([line for _, line in page.shown])
    return json_body(
        b'{"events":[%b],"nextCursor":%d,"hasMore":%b%b}'
        % (lines, max(end - 1, query.after), has_more, previous)
    )


class _Page:
    """The last of what is put into it that fits: memory is bounded, however much there is."""

    def __init__(self, limit: int, max_bytes: int, *, is_first: bool = True) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._is_first = is_first
        """One event is in it, whatever its size."""
        self._size = 0
        self.shown: deque[tuple[int, bytes]] = deque()
        self.is_full = limit <= 0 or max_bytes <= 0
        """Something did not fit, or nothing more will."""

    @property
    def first_seq(self) -> int | None:
        return self.shown[0][0] if self.shown else None

    def rest(self) -> _Page:
        """What still fits in front of it."""
        limit, max_bytes = self._limit - len(self.shown), self._max_bytes - self._size
        return _Page(limit, max_bytes, is_first=not self.shown)

    def put(self, shown: Shown) -> None:
        """Behind all that is there."""
        for seq, line in shown:
            self.shown.append((seq, line))
            self._size += len(line)
            while len(self.shown) > self._limit or (
                self._size > self._max_bytes and not (self._is_first and len(self.shown) == 1)
            ):
                self._size -= len(self.shown.popleft()[1])
                self.is_full = True

    def put_before(self, part: _Page) -> None:
        self.shown.extendleft(reversed(part.shown))
        self._size += part._size
        self.is_full = part.is_full or len(self.shown) >= self._limit


async def _between(log: SessionLog, query: StreamQuery, begin: int, end: int, part: _Page) -> _Page:
    """With what entries from `begin` to in front of `end` show."""
    cursor = Cursor(log, begin - 1)
    while cursor.after < end - 1:
        entries = await cursor.read(limit=end - 1 - cursor.after)
        if not entries:
            break
        shown = await asyncio.to_thread(
            encode, entries, log.session_id, query.view, deltas=query.deltas
        )
        part.put([one for one in shown if one[0] < end])
    return part
