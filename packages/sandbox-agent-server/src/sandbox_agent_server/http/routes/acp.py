"""ACP over HTTP: a client's messages come in one by one, what it hears is one stream."""

from __future__ import annotations

import asyncio
from typing import Final

from sandbox_agent_core.api.acp import AcpEnvelope, AcpServerInfo, AcpServerList
from sandbox_agent_core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    SessionNotFound,
    StorageError,
    UnsupportedAgent,
    UnsupportedMediaType,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.acp.faults import Refused, fault_frame
from sandbox_agent_server.acp.outbox import payload_of
from sandbox_agent_server.http.body import parse_json, read_raw, whole_number
from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import (
    HEARTBEAT,
    MAX_SEQ,
    Drain,
    SendBody,
    SseResponse,
)
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.follower import Follower
from sandbox_agent_server.log.views import Batch

__all__ = ["routes"]

_JSON: Final = "application/json"
_STREAM: Final = "text/event-stream"
_MAX_DEPTH: Final = 127
"""What clients of this route are used to."""


async def _list(request: Request) -> Response:
    servers = [
        AcpServerInfo(
            server_id=record.server_id, agent=record.agent, created_at_ms=record.created_ms
        )
        for record in services_of(request).acp.list()
    ]
    return json_response(AcpServerList(servers=servers))


async def _post(request: Request) -> Response:
    """Once the message is understood, whatever happens is an answer of JSON-RPC: a client that does not wait for
    its POST would otherwise die of it."""
    services = services_of(request)
    server_id = _server_id(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise UnsupportedMediaType(f"content-type must be {_JSON}, not {kind or 'none'!r}")
    _check_accept(request, _JSON)
    limits = services.settings.limits
    raw = await read_raw(request, limits)
    frame = parse_json(raw, limits, max_depth=_MAX_DEPTH)
    agent = request.query_params.get("agent")
    services.acp.check(server_id, agent)
    if not isinstance(frame, dict):
        raise InvalidRequest("request body must be a JSON-RPC object")
    caller = caller_of(request)
    try:
        connection = services.acp.open(server_id, agent)
        answer = connection.receive(
            raw, frame=frame, may_answer=caller.may("answer"), actor=caller.actor
        )
    except Refused as exc:
        return Response(exc.answer, media_type=_JSON)
    except (LimitReached, StorageError) as exc:
        return Response(dumps(fault_frame(frame.get("id"), exc)), media_type=_JSON)
    if answer is None:
        return Response(status_code=202)
    # Who leaves does not take the answer from the others who wait for it on the stream.
    return Response(await asyncio.shield(answer), media_type=_JSON)


async def _get(request: Request) -> SseResponse:
    services = services_of(request)
    _check_accept(request, _STREAM)
    log = services.acp.find(_server_id(request)).log
    after = _last_event_id(request)

    async def events(send: SendBody, drain: Drain) -> None:
        await Follower(
            log,
            after,
            render=_render,
            send=send,
            drain=drain,
            heartbeat=HEARTBEAT,
            heartbeat_s=services.settings.limits.heartbeat_s,
        ).run()

    return SseResponse(events, services.streams)


async def _delete(request: Request) -> Response:
    await services_of(request).acp.remove(_server_id(request))
    return Response(status_code=204)


def _render(batch: Batch) -> bytes:
    return b"".join(
        [
            b"event: message\nid: %d\ndata: %b\n\n" % (entry.seq, payload_of(entry))
            for entry in batch.entries
        ]
    )


def _server_id(request: Request) -> str:
    """Any text. Raises: NotFound when it is none."""
    server_id: str = request.path_params["server_id"]
    if not server_id:
        raise NotFound("there is no ACP server without an id; GET /v1/acp lists those there are")
    return server_id


def _check_accept(request: Request, wanted: str) -> None:
    """Raises: NotAcceptable."""
    accept = request.headers.get("accept", "*/*")
    offered = {wanted, f"{wanted.partition('/')[0]}/*", "*/*"}
    if offered.isdisjoint(part.partition(";")[0].strip().lower() for part in accept.split(",")):
        raise NotAcceptable(f"accept must allow {wanted}")


def _last_event_id(request: Request) -> int:
    """Raises: InvalidRequest."""
    text = request.headers.get("last-event-id")
    if not text:
        return 0
    seq = whole_number(text)
    if seq is None or seq > MAX_SEQ:
        raise InvalidRequest("Last-Event-ID must be a positive integer")
    return seq


routes = [
    ApiRoute(
        method="GET", path="/v1/acp", handler=_list, scope="read", tag="acp",
        summary="ACP clients that the server knows.", result=AcpServerList,
    ),
    ApiRoute(
        method="POST", path="/v1/acp/{server_id:path}", handler=_post, scope="prompt", tag="acp",
        summary="A message of an ACP client. Of a request the answer, which is on the stream too; else 202.",
        body=AcpEnvelope, result=AcpEnvelope,
        query=[Query("agent", {"type": "string"}, "Which agent it is; needed for the first message.")],
        errors=[UnsupportedMediaType, NotAcceptable, PayloadTooLarge, InvalidRequest, UnsupportedAgent, Conflict,
                LimitReached],
    ),
    ApiRoute(
        method="GET", path="/v1/acp/{server_id:path}", handler=_get, scope="read", tag="acp",
        summary="What the client hears, from the beginning or after `Last-Event-ID`.",
        streams="`event: message`, `id:` counts from 1 without gaps, `data:` one JSON-RPC message.",
        errors=[SessionNotFound, NotAcceptable, InvalidRequest, LimitReached],
    ),
    ApiRoute(
        method="DELETE", path="/v1/acp/{server_id:path}", handler=_delete, scope="prompt", tag="acp", status=204,
        summary="Stop its agents and forget the client. Its sessions stay, and can be resumed.",
    ),
]  # fmt: skip
