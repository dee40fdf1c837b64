"""How a client follows all sessions: as server-sent events, through a WebSocket, or a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.events import EVENT_CLASSES
from sandbox_agent_core.projection import is_delta, project_wire
from starlette.requests import HTTPConnection

from sandbox_agent_server.http.body import query_bool, query_choice, query_list
from sandbox_agent_server.http.stream import Drain
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.sessions.feed import Feed, FeedPiece
from sandbox_agent_server.sessions.feed_cursor import FeedCursor, read_cursor

__all__ = ["CHECKPOINT_EVERY_S", "FeedQuery", "encode_piece", "follow_feed", "read_feed_query"]

CHECKPOINT_EVERY_S: Final = 1.0
"""How often a stream says where it is, while something happens, and how long after something did at the latest."""
_CHECKPOINT_ENTRIES: Final = 1000
"""And after so many entries."""
_BATCH_BYTES: Final = 256 * 1024
_BATCH_ENTRIES: Final = 1000
_INLINE_ENTRIES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedQuery:
    cursor: FeedCursor | None
    """None: from now on."""
    view: EventView
    deltas: bool
    agents: frozenset[str]
    types: frozenset[str]
    """Of events; none: all of them."""
    deltas_of: frozenset[str] = frozenset()
    """Sessions whose deltas are sent whatever `deltas` says; of others they are not, if there are any."""

    def has_deltas(self, session_id: str) -> bool:
        return session_id in self.deltas_of if self.deltas_of else self.deltas


def read_feed_query(request: HTTPConnection) -> FeedQuery:
    """`Last-Event-ID`, which a reconnecting browser sends, wins over `after`. Raises: InvalidRequest."""
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    return FeedQuery(
        cursor=None if text is None else read_cursor(text),
        view="frames" if query_choice(request, "view", ("universal", "frames")) == "frames" else "universal",
        deltas=query_bool(request, "deltas", default=True),
        deltas_of=query_list(request, "deltasOf"),
        agents=query_list(request, "agent"),
        types=_types(query_list(request, "types")),
    )  # fmt: skip


def _types(wanted: frozenset[str]) -> frozenset[str]:
    """`permission.*` is all that begin so."""
    found: set[str] = set()
    for one in wanted:
        known = {
            name
            for name in EVENT_CLASSES
            if name == one or (one.endswith(".*") and name.startswith(one[:-1]))
        }
        if not known:
            raise InvalidRequest(
                f"`types`: there is no event {one[:64]!r}; docs/events.md has them all"
            )
        found |= known
    return frozenset(found)


def encode_piece(piece: FeedPiece, query: FeedQuery) -> list[bytes]:
    """JSON of the events that are wanted, each with its session."""
    session_id = piece.session_id
    head = b'{"sessionId":' + dumps(session_id) + b","
    has_deltas = query.has_deltas(session_id)
    is_whole = query.view == "frames" and has_deltas and not query.types
    lines: list[bytes] = []
    for entry in piece.entries:
        if is_whole:
            lines.append(head + entry.line[1:])
            continue
        wire = project_wire(entry.to_log_entry(session_id))
        if wire is None:
            if query.view == "frames" and not query.types:
                lines.append(head + entry.line[1:])
            continue
        kind = wire["type"]
        if (not has_deltas and is_delta(kind)) or (query.types and kind not in query.types):
            continue
        lines.append(head + entry.line[1:] if query.view == "frames" else dumps(wire))
    return lines


async def follow_feed(
    feed: Feed,
    query: FeedQuery,
    *,
    send: Callable[[list[bytes], str | None], Coroutine[Any, Any, None]],
    beat: Callable[[], Coroutine[Any, Any, None]],
    drain: Drain,
    heartbeat_s: float,
) -> None:
    """Send what is new, and now and then the cursor behind it, until the server stops."""
    clock = asyncio.get_running_loop().time
    await send([], feed.cursor().to_text())
    sent_at = told_at = clock()
    untold = 0
    while True:
        await drain()
        lines, count = await _batch(feed, query)
        untold += count
        due_s = told_at + CHECKPOINT_EVERY_S - clock()
        is_told = untold > 0 and (due_s <= 0 or untold >= _CHECKPOINT_ENTRIES or feed.is_closed)
        if lines or is_told:
            await send(lines, feed.cursor().to_text() if is_told else None)
            sent_at = clock()
        if is_told:
            told_at, untold = sent_at, 0
        if count:
            await asyncio.sleep(0)  # catching up must not starve everybody else
            continue
        if feed.is_closed:
            return
        beat_s = sent_at + heartbeat_s - clock()
        if beat_s <= 0:
            await beat()
            sent_at = clock()
            continue
        await feed.changed(timeout_s=min(beat_s, max(due_s, 0.001)) if untold else beat_s)


async def _batch(feed: Feed, query: FeedQuery) -> tuple[list[bytes], int]:
    """`(lines, entries that were read)`; of no entry there is nothing more at the moment."""
    lines: list[bytes] = []
    size = count = 0
    while size < _BATCH_BYTES and count < _BATCH_ENTRIES:
        piece = await feed.read(max_entries=_BATCH_ENTRIES, max_bytes=_BATCH_BYTES)
        if piece is None:
            break
        count += len(piece.entries)
        if len(piece.entries) <= _INLINE_ENTRIES:
            more = encode_piece(piece, query)
        else:
            more = await asyncio.to_thread(encode_piece, piece, query)
        lines += more
        size += sum(map(len, more))
    return lines, count
