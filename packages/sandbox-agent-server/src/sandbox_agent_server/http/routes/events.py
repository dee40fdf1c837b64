"""`/v1/sessions/{id}/events` as pages and as a stream, and the WebSocket."""

from __future__ import annotations

import asyncio
from functools import partial

from sandbox_agent_core.api.events import EventPage
from sandbox_agent_core.errors import (
    InvalidRequest,
    LimitReached,
    NotAcceptable,
    SandboxAgentError,
    SessionNotFound,
)
from starlette.requests import Request
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from sandbox_agent_server.http.body import query_int, query_seconds
from sandbox_agent_server.http.large_answer import Body, LargeAnswer, json_body
from sandbox_agent_server.http.pages_before import page_before
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, Query
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import (
    MAX_SEQ,
    StreamQuery,
    read_stream_query,
    sse_of_log,
)
from sandbox_agent_server.http.waiting import wait_for_entries
from sandbox_agent_server.http.websocket import refuse_websocket, serve_websocket
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.views import Shown, encode

__all__ = ["routes", "wants_stream", "websocket_routes"]

_DEFAULT_PAGE = 100


async def _events(request: Request) -> ASGIApp:
    services = services_of(request)
    log = services.sessions.reader.log(request.path_params["session_id"])
    query = read_stream_query(request)
    if not wants_stream(request):
        limits = services.settings.limits
        wait_s = query_seconds(request, "wait", default=0)
        count = query_int(request, "limit", default=_DEFAULT_PAGE, minimum=1, maximum=MAX_SEQ)
        if wait_s:
            await wait_for_entries(
                log,
                query.after,
                timeout_s=min(wait_s, limits.max_wait_s),
                counter=services.streams,
                receive=request.receive,
            )
        if query.before is not None:
            return LargeAnswer(
                partial(
                    page_before, log, query, min(count, limits.max_page), limits.max_page_bytes
                ),
                services.answers,
                max_bytes=limits.max_page_bytes,
            )
        return LargeAnswer(
            partial(_page, log, query, min(count, limits.max_page), limits.max_page_bytes),
            services.answers,
            max_bytes=limits.max_page_bytes,
        )
    if query.before is not None:
        raise InvalidRequest("`before` is for pages: a stream begins behind `after` and has no end")
    return sse_of_log(
        log, query, services.streams, heartbeat_s=services.settings.limits.heartbeat_s
    )


def wants_stream(request: Request) -> bool:
    """Raises: NotAcceptable when neither JSON nor SSE will do."""
    accept = request.headers.get("accept", "*/*")
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/event-stream" in kinds:
        return True
    if any(kind in ("*/*", "application/*", "application/json", "") for kind in kinds):
        return False
    raise NotAcceptable(
        f"cannot answer as {accept[:128]!r}; accept application/json for a page, text/event-stream to "
        "follow"
    )


async def _page(log: SessionLog, query: StreamQuery, limit: int, max_bytes: int) -> Body:
    shown: Shown = []
    cursor, size = Cursor(log, query.after), 0
    while len(shown) < limit and size < max_bytes:
        entries = await cursor.read(limit=limit - len(shown), max_bytes=max_bytes - size)
        if not entries:
            break
        more = await asyncio.to_thread(
            encode, entries, log.session_id, query.view, deltas=query.deltas
        )
        size += sum(len(line) for _, line in more)
        shown += more
    after = cursor.after
    has_more = b"true" if after < log.last_seq else b"false"
    # The events are JSON already: only the frame around them is written here.
    lines = b",".join([line for _, line in shown])
    return json_body(b'{"events":[%b],"nextCursor":%d,"hasMore":%b}' % (lines, after, has_more))


async def _websocket(websocket: WebSocket) -> None:
    services = services_of(websocket)
    try:
        log = services.sessions.reader.log(websocket.path_params["session_id"])
        query = read_stream_query(websocket)
        services.streams.check()
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
        return
    await serve_websocket(
        websocket, services.sessions, log, query, services.streams, services.settings.limits
    )


_CURSOR = [
    Query(
        "after", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ, "default": 0},
        "Cursor: entries with a greater seq. `Last-Event-ID` wins over it.",
    ),
    Query(
        "view", {"type": "string", "enum": ["universal", "frames"], "default": "universal"},
        "`universal`: typed events. `frames`: every entry with its raw JSON-RPC payload.",
    ),
    Query(
        "deltas", {"type": "boolean", "default": True},
        "false leaves out what a later `*.completed` event carries whole.",
    ),
]  # fmt: skip

routes = [
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/events", handler=_events, scope="read", tag="events",
        summary="The session's log from a cursor: a page, or a live stream.", result=EventPage,
        query=[
            *_CURSOR,
            Query("before", {"type": "integer", "minimum": 1, "maximum": MAX_SEQ},
                  "The last events in front of this seq, still in order: from the newest backwards, begin with the greatest "
                  "number and go on with `previousCursor`. Not for a stream, and it waits for nothing."),
            Query("limit", {"type": "integer", "minimum": 1, "default": _DEFAULT_PAGE},
                  "Events in a page, at most `max_page` (1000); not for a stream."),
            Query("wait", {"type": "number", "minimum": 0, "default": 0},
                  "Seconds that a page without events waits for one, at most `max_wait_s` (60); not for a stream."),
        ],
        streams_events=True, streams="`id:` is the seq, `data:` one event. Never ends by itself; a comment every 10 s of silence.",
        errors=[SessionNotFound, InvalidRequest, NotAcceptable, LimitReached],
    ),
]  # fmt: skip

websocket_routes = [
    ApiWebSocket(
        "/v1/sessions/{session_id}/ws", _websocket, tag="events", scope="read", query=_CURSOR,
        summary="Events out; prompt, cancel, respond and set in. Frames are JSON: out `{type: event|result|error|heartbeat, "
        "…}`, in `{type: prompt|cancel|respond|set, id, …}` with the members of the HTTP body.",
    )
]  # fmt: skip
