"""`/v1/events`: what happens in all sessions, as pages, as a stream, and through a WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from sandbox_agent_core.api.events import FeedPage
from sandbox_agent_core.errors import InvalidRequest, LimitReached, NotAcceptable, SandboxAgentError
from starlette.requests import Request
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from sandbox_agent_server.http.body import query_int, query_seconds
from sandbox_agent_server.http.feed_stream import (
    FeedQuery,
    encode_piece,
    follow_feed,
    read_feed_query,
)
from sandbox_agent_server.http.large_answer import Body, LargeAnswer, json_body
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, Query
from sandbox_agent_server.http.routes.events import wants_stream
from sandbox_agent_server.http.services import Services, services_of
from sandbox_agent_server.http.stream import (
    HEARTBEAT,
    MAX_SEQ,
    PIECE_BYTES,
    Drain,
    SendBody,
    SseResponse,
    first_of,
    until_disconnected,
)
from sandbox_agent_server.http.websocket import refuse_websocket, serve_feed
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.sessions.feed import Feed

__all__ = ["routes", "websocket_routes"]

_DEFAULT_PAGE = 100


async def _feed(request: Request) -> ASGIApp:
    services = services_of(request)
    query = read_feed_query(request)
    if wants_stream(request):
        return _stream(services, query)
    limits = services.settings.limits
    limit = query_int(request, "limit", default=_DEFAULT_PAGE, minimum=1, maximum=MAX_SEQ)
    limit = min(limit, limits.max_page)
    wait_s = min(query_seconds(request, "wait", default=0), limits.max_wait_s)
    feed = _open(services, query)
    try:
        first = await _first(feed, query, services, request, limit=limit, wait_s=wait_s)
    except BaseException:
        feed.close()
        raise
    return LargeAnswer(
        partial(_page, services, query, feed, first, limit),
        services.answers,
        max_bytes=limits.max_page_bytes,
    )


def _open(services: Services, query: FeedQuery) -> Feed:
    return services.sessions.reader.feed(query.cursor, agents=query.agents)


def _stream(services: Services, query: FeedQuery) -> SseResponse:
    feed = _open(services, query)

    async def events(send: SendBody, drain: Drain) -> None:
        async def send_lines(lines: list[bytes], cursor: str | None) -> None:
            blocks = [b"data: %b\n\n" % line for line in lines]
            if cursor is not None:
                told = dumps({"cursor": cursor})
                blocks.append(b"id: %b\nevent: checkpoint\ndata: %b\n\n" % (cursor.encode(), told))
            await send(b"".join(blocks))

        try:
            await follow_feed(
                feed,
                query,
                send=send_lines,
                beat=lambda: send(HEARTBEAT),
                drain=drain,
                heartbeat_s=services.settings.limits.heartbeat_s,
            )
        finally:
            feed.close()

    return SseResponse(events, services.streams)


async def _first(
    feed: Feed,
    query: FeedQuery,
    services: Services,
    request: Request,
    *,
    limit: int,
    wait_s: float,
) -> list[bytes]:
    """What is there, waited for: until there is something to show, the client has left, or the time is over. It
    counts as an open stream."""
    lines: list[bytes] = []
    if not wait_s:
        return lines

    async def wait() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not lines:
                    piece = await feed.read(max_entries=limit, max_bytes=PIECE_BYTES)
                    if piece is not None:
                        lines.extend(encode_piece(piece, query))
                    elif feed.is_closed:
                        return
                    else:
                        await feed.changed(timeout_s=wait_s)

    services.streams.check()
    with services.streams.hold():
        await first_of(wait(), until_disconnected(request.receive))
    return lines


async def _page(
    services: Services, query: FeedQuery, feed: Feed, first: list[bytes], limit: int
) -> Body:
    max_bytes = services.settings.limits.max_page_bytes
    lines = [*first]
    size = sum(map(len, lines))
    try:
        while len(lines) < limit and size < max_bytes:
            piece = await feed.read(max_entries=limit - len(lines), max_bytes=max_bytes - size)
            if piece is None:
                break
            more = encode_piece(piece, query)
            lines += more
            size += sum(map(len, more))
        cursor = dumps(feed.cursor().to_text())
        has_more = b"true" if feed.has_more else b"false"
    finally:
        feed.close()
    events = b",".join(lines)
    return json_body(b'{"events":[%b],"nextCursor":%b,"hasMore":%b}' % (events, cursor, has_more))


async def _websocket(websocket: WebSocket) -> None:
    services = services_of(websocket)
    try:
        services.streams.check()
        query = read_feed_query(websocket)
        feed = _open(services, query)
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
        return
    try:
        await serve_feed(websocket, feed, query, services.streams, services.settings.limits)
    finally:
        feed.close()


routes = [
    ApiRoute(
        method="GET", path="/v1/events", handler=_feed, scope="read", tag="events",
        summary="What happens in all sessions, from a cursor: a page, or a live stream.", result=FeedPage,
        query=[
            Query("after", {"type": "string"},
                  "Cursor: `nextCursor` of a page or an `id` of a stream; `0` for all that is kept. Default: from "
                  "now on. `Last-Event-ID` wins over it."),
            Query("view", {"type": "string", "enum": ["universal", "frames"], "default": "universal"},
                  "As for one session; a frame has its `sessionId` besides."),
            Query("deltas", {"type": "boolean", "default": True},
                  "false leaves out what a later `*.completed` event carries whole."),
            Query("deltasOf", {"type": "string"},
                  "Those of these sessions alone, with commas: what a page shows of many sessions."),
            Query("agent", {"type": "string"}, "Only sessions of this agent; several with commas."),
            Query("types", {"type": "string"},
                  "Only events of these types, with commas; `permission.*` is all that begin so."),
            Query("limit", {"type": "integer", "minimum": 1, "default": _DEFAULT_PAGE},
                  "Events in a page, at most `max_page` (1000); not for a stream."),
            Query("wait", {"type": "number", "minimum": 0, "default": 0},
                  "Seconds that a page waits for something to show, at most `max_wait_s`."),
        ],
        streams_events=True, streams="`data:` is one event. Now and then, at least a second after something happened, an event "
                "`checkpoint` has the cursor as its `id:` and as `{cursor}`. After a new connection what came after the "
                "last checkpoint comes again: `sessionId` and `seq` say what is known already.",
        errors=[InvalidRequest, NotAcceptable, LimitReached],
    ),
]  # fmt: skip

websocket_routes = [
    ApiWebSocket(
        "/v1/events", _websocket, tag="events", scope="read",
        summary="Events of all sessions, with the query of the page; frames as of one session.",
    )
]  # fmt: skip
