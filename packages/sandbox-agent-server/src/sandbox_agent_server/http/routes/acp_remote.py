"""`/acp`: ACP's own remote transport, as a WebSocket and as Streamable HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sandbox_agent_core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    SandboxAgentError,
    UnsupportedMediaType,
)
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST, PARSE_ERROR, error_response
from sandbox_agent_core.lenient import as_dict, as_str
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from sandbox_agent_server.http.acp_connections import CONNECTION_ID, AcpConnections
from sandbox_agent_server.http.acp_streams import StreamConnection
from sandbox_agent_server.http.acp_websocket import serve_acp
from sandbox_agent_server.http.body import read_json
from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, Query, json_response
from sandbox_agent_server.http.routes.events import wants_stream
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import SseResponse
from sandbox_agent_server.http.websocket import refuse_websocket

__all__ = ["routes", "websocket_routes"]

_SESSION_ID: Final = "Acp-Session-Id"


async def _websocket(websocket: WebSocket) -> None:
    connections = services_of(websocket).remote_acp
    try:
        caller_of(websocket).require("prompt", to="speak ACP")
        connection_id = connections.admit()
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
        return
    try:
        await serve_acp(websocket, connections, connection_id)
    finally:
        connections.leave(connection_id)


async def _post(request: Request) -> Response:
    connections = services_of(request).remote_acp
    connection_id = request.headers.get(CONNECTION_ID)
    found = None if connection_id is None else connections.find(connection_id, caller_of(request))
    try:
        frame = await read_json(request, connections.limits)
    except InvalidRequest as exc:
        return json_response(error_response(None, PARSE_ERROR, exc.message), 400)
    if not isinstance(frame, dict):
        what = "ACP has no batches" if isinstance(frame, list) else "a message is an object"
        return json_response(error_response(None, INVALID_REQUEST, what), 400)
    if frame.get("method") == acp.INITIALIZE:
        if found is not None or frame.get("id") is None:
            raise InvalidRequest(
                f"`initialize` is a request, and goes without a `{CONNECTION_ID}`: it makes the connection"
            )
        return await _initialize(request, connections, frame)
    if found is None:
        raise InvalidRequest(f"`{CONNECTION_ID}` is missing; the answer to `initialize` has it")
    named = as_str(as_dict(frame.get("params")).get("sessionId"))
    header = request.headers.get(_SESSION_ID)
    if named is not None and header is not None and named != header:
        raise InvalidRequest(f"`{_SESSION_ID}` says {header!r}, and the message {named!r}")
    assert found.client is not None
    if named is not None:
        found.asks(named)
    found.use()
    try:
        found.client.receive(frame)
        await found.client.room()
    finally:
        found.unuse()
    return Response(status_code=202)


async def _initialize(
    request: Request, connections: AcpConnections, frame: dict[str, Any]
) -> Response:
    connection_id = connections.admit()
    ending: set[asyncio.Task[None]] = set()

    def on_idle() -> None:
        task = asyncio.ensure_future(connections.end(connection))
        ending.add(task)
        task.add_done_callback(ending.discard)

    connection = StreamConnection(connection_id, connections.limits, on_idle)
    try:
        connection.client, answer = await connections.welcome(frame, connection, request)
    except BaseException:
        connections.leave(connection_id)
        raise
    if connection.client is None:
        connections.leave(connection_id)
    else:
        connections.keep(connection, caller_of(request))
        connection.use()
        connection.unuse()
    response = json_response(answer)
    # Also with an error: without it the official TypeScript client does not look at the body.
    response.headers[CONNECTION_ID] = connection_id
    return response


async def _get(request: Request) -> SseResponse:
    services = services_of(request)
    if "accept" not in request.headers or not wants_stream(request):
        raise NotAcceptable("this is a stream: send `Accept: text/event-stream`")
    found = _found(request)
    events = found.reader(request.headers.get(_SESSION_ID))
    return SseResponse(events, services.streams)


async def _delete(request: Request) -> Response:
    await services_of(request).remote_acp.end(_found(request))
    return Response(status_code=202)


def _found(request: Request) -> StreamConnection:
    """Raises: InvalidRequest, NotFound."""
    connection_id = request.headers.get(CONNECTION_ID)
    if connection_id is None:
        raise InvalidRequest(f"`{CONNECTION_ID}` is missing; the answer to `initialize` has it")
    return services_of(request).remote_acp.find(connection_id, caller_of(request))


_AGENT = Query(
    "agent", {"type": "string"},
    "The agent; `Acp-Agent` is the same. Default: the first that is installed. Of `initialize`.",
)  # fmt: skip
_CONNECTION = Query(
    CONNECTION_ID, {"type": "string"}, "Of the answer to `initialize`.", required=True
)  # fmt: skip
_SESSION = Query(_SESSION_ID, {"type": "string"}, "The stream of one session.")

routes = [
    ApiRoute(
        method="POST", path="/acp", handler=_post, scope="prompt", tag="acp", query=[_AGENT],
        summary="A JSON-RPC message of an ACP client. 202, and answers come on the streams; `initialize` is answered "
        "at once, with the `Acp-Connection-Id` that everything else sends.",
        errors=[InvalidRequest, NotFound, LimitReached, PayloadTooLarge, UnsupportedMediaType],
    ),
    ApiRoute(
        method="GET", path="/acp", handler=_get, scope="prompt", tag="acp",
        summary="Messages to an ACP client: of its connection, or with `Acp-Session-Id` of a session. As an upgrade, "
        "the WebSocket for all of them.",
        headers=[_CONNECTION, _SESSION], streams="`data:` is one JSON-RPC message, in ASCII. A comment every 10 s of silence.",
        errors=[InvalidRequest, NotFound, Conflict, NotAcceptable, LimitReached],
    ),
    ApiRoute(
        method="DELETE", path="/acp", handler=_delete, scope="prompt", tag="acp", status=202,
        headers=[_CONNECTION],
        summary="Ends an ACP connection and its streams. Its sessions, and their turns, go on.",
        errors=[InvalidRequest, NotFound],
    ),
]  # fmt: skip

websocket_routes = [
    ApiWebSocket(
        "/acp", _websocket, tag="acp", scope="prompt",
        summary="Messages of ACP in both directions, one in each frame of text.",
    )
]  # fmt: skip
