"""`/v1/processes/{id}/terminal/ws`: a terminal, live."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    ProcessNotFound,
    SandboxAgentError,
)
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from sandbox_agent_server.host.processes.process import HostProcess
from sandbox_agent_server.http.body import query_bool, query_int
from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, Query
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import MAX_SEQ
from sandbox_agent_server.http.terminal import TerminalQuery, serve_terminal
from sandbox_agent_server.http.websocket import refuse_websocket

__all__ = ["routes", "websocket_routes"]

_PATH = "/v1/processes/{process_id}/terminal/ws"


async def _terminal(websocket: WebSocket) -> None:
    services = services_of(websocket)
    try:
        caller_of(websocket).require("host", to="use the terminals of the sandbox")
        process = _process(websocket)
        query = _query(websocket)
        services.streams.check()
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
        return
    await serve_terminal(
        websocket,
        process,
        services.processes,
        query,
        counter=services.streams,
        limits=services.settings.limits,
    )


def _process(connection: HTTPConnection) -> HostProcess:
    """Raises: ProcessNotFound, Conflict."""
    process = services_of(connection).processes.get(connection.path_params["process_id"])
    process.check_terminal()
    return process


def _query(connection: HTTPConnection) -> TerminalQuery:
    """Raises: InvalidRequest."""
    offset = query_int(connection, "offset", default=-1, minimum=0, maximum=MAX_SEQ)
    return TerminalQuery(
        None if offset < 0 else offset, query_bool(connection, "scrollback", default=True)
    )


async def _no_websocket(request: Request) -> Any:
    _process(request)
    raise InvalidRequest(
        "this is a WebSocket: connect with ws:// or wss://, and `Upgrade: websocket`"
    )


_QUERY = [
    Query("scrollback", {"type": "boolean", "default": True}, "Show first what was there before."),
    Query("offset", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ},
          "Go on there in its output, in place of that."),
    Query("access_token", {"type": "string"}, "The token, for clients that send it this way; only here."),
    Query("ticket", {"type": "string"}, "Of POST /v1/tickets, in place of a token."),
]  # fmt: skip
_SUMMARY = (
    "The terminal of a process. Binary frames are its output; text frames are JSON: `ready`, `exit` and `error` from "
    "the server, `input`, `resize` and `close` to it."
)

routes = [
    ApiRoute(
        method="GET", path=_PATH, handler=_no_websocket, scope="host", tag="processes", status=101,
        summary=_SUMMARY, query=_QUERY, errors=[ProcessNotFound, Conflict, LimitReached],
    ),
]  # fmt: skip

websocket_routes = [
    ApiWebSocket(_PATH, _terminal, tag="processes", scope="host", query=_QUERY, summary=_SUMMARY)
]
