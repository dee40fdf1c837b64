"""`/v1/ports`: what listens in the sandbox; and each port itself, beneath `/v1/ports/{port}/`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from sandbox_agent_core.api.ports import ListeningPort, PortList
from sandbox_agent_core.errors import (
    InvalidRequest,
    LimitReached,
    NotAcceptable,
    OperationNotSupported,
    PortForbidden,
    PortUnreachable,
    SandboxAgentError,
    Timeout,
)
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from sandbox_agent_server.host.ports.listening import Listener, listeners, owners
from sandbox_agent_server.http.body import whole_number
from sandbox_agent_server.http.callers import admission_of, caller_of
from sandbox_agent_server.http.errors import USUAL_METHODS
from sandbox_agent_server.http.port_headers import (
    Header,
    is_beneath,
    prefix_of,
    seen_prefix,
    visit_cookie,
)
from sandbox_agent_server.http.port_socket import serve_port_websocket
from sandbox_agent_server.http.route import ApiRoute, document, json_response
from sandbox_agent_server.http.routes.events import wants_stream
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import HEARTBEAT, Drain, SendBody, SseResponse
from sandbox_agent_server.http.tickets import Resource
from sandbox_agent_server.http.websocket import refuse_websocket
from sandbox_agent_server.jsonio import dumps

__all__ = ["described", "proxy_routes", "routes"]

_LAST_PORT: Final = 65535


async def _list(request: Request) -> ASGIApp | Response:
    if wants_stream(request):
        return _watch(request)
    found = await asyncio.to_thread(listeners)
    return json_response(await _described(found, own=_own_port(request)))


def _watch(request: Request) -> SseResponse:
    services = services_of(request)
    own, heartbeat_s = _own_port(request), services.settings.limits.heartbeat_s

    async def events(send: SendBody, drain: Drain) -> None:
        async with aclosing(services.port_watch.changes()) as changes:
            upcoming = asyncio.ensure_future(anext(changes))
            try:
                while True:
                    done, _ = await asyncio.wait([upcoming], timeout=heartbeat_s)
                    if not done:
                        await send(HEARTBEAT)
                        continue
                    listed = await _described(upcoming.result(), own=own)
                    await send(b"event: ports\ndata: %b\n\n" % dumps(document(listed)))
                    await drain()
                    upcoming = asyncio.ensure_future(anext(changes))
            finally:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)

    return SseResponse(events, services.streams)


async def _described(found: Sequence[Listener], *, own: int | None) -> PortList:
    whose = await asyncio.to_thread(owners, {listener.inode for listener in found})
    return PortList(
        ports=[
            ListeningPort(
                port=listener.port,
                address=listener.address,
                pid=owner.pid if (owner := whose.get(listener.inode)) else None,
                program=owner.program if owner else None,
                is_server=listener.port == own,
            )
            for listener in found
        ]
    )


def _own_port(connection: HTTPConnection) -> int | None:
    """Of the socket that the request came in by; the settings may say 0."""
    server = connection.scope.get("server")
    return server[1] if server else None


def _checked_port(connection: HTTPConnection) -> int:
    """Raises: InvalidRequest, PermissionDenied, PortForbidden."""
    text: str = connection.path_params["port"]
    port = whole_number(text)
    if port is None or not 1 <= port <= _LAST_PORT or str(port) != text:
        raise InvalidRequest(f"a port is a number from 1 to {_LAST_PORT}, not {text[:32]!r}")
    if not is_beneath(connection.scope, port):
        raise InvalidRequest(f"write {prefix_of(port)}/ as it is, with nothing of it encoded")
    caller_of(connection).require("host", to="reach the ports of the sandbox")
    services_of(connection).port_rules.check(port, own=_own_port(connection))
    return port


async def _port(scope: Scope, receive: Receive, send: Send) -> None:
    """Any request to a port. A ticket is exchanged for a cookie, and taken out of a browser's address bar."""
    request = Request(scope, receive)
    port = _checked_port(request)
    services = services_of(request)
    cookie: Header | None = None
    admitted = admission_of(request)
    if admitted is not None and admitted.purpose == "ticket":
        value, seconds = services.tickets.visit(Resource("port", str(port)), admitted)
        cookie = visit_cookie(
            value,
            prefix=seen_prefix(scope, port),
            max_age_s=seconds,
            is_secure=_is_secure(request),
        )
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            await _redirect(request, cookie)(scope, receive, send)
            return
    if request.url.path == prefix_of(port):
        await _redirect(request, cookie, to=f"./{port}/")(scope, receive, send)
        return
    await services.port_proxy.forward(scope, receive, send, port=port, cookie=cookie)


def _redirect(request: Request, cookie: Header | None, *, to: str | None = None) -> Response:
    """To where the request came from, without its ticket, which the guard has taken out already."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    last = raw.decode("latin-1").rpartition("/")[2]
    query = request.scope["query_string"].decode("latin-1")
    location = (to or f"./{last}") + (f"?{query}" if query else "")
    response = RedirectResponse(location, 307, {"cache-control": "no-store"})
    response.raw_headers += [cookie] if cookie is not None else []
    return response


def _is_secure(request: Request) -> bool:
    """A gateway in front speaks TLS, and the server does not."""
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"


class _Any:
    """Every method: Starlette takes an object for an application, and asks nothing of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in _NEVER:
            raise HTTPException(405)
        await _port(scope, receive, send)


async def _port_websocket(websocket: WebSocket) -> None:
    try:
        port = _checked_port(websocket)
    except SandboxAgentError as exc:
        await refuse_websocket(websocket, exc)
        return
    await serve_port_websocket(websocket, services_of(websocket).port_proxy, port)


routes = [
    ApiRoute(
        method="GET", path="/v1/ports", handler=_list, tag="ports", scope="host",
        summary="What listens on TCP ports of the sandbox.", result=PortList,
        streams="`event: ports` with the whole list as `data`: at once, and whenever it is another one.",
        errors=[OperationNotSupported, NotAcceptable, LimitReached],
    ),
]  # fmt: skip

_PATH: Final = "/v1/ports/{port}/{path:path}"
_NEVER: Final = ("TRACE", "CONNECT")
"""The first would show the headers that a gateway adds."""

proxy_routes: list[BaseRoute] = [
    Route("/v1/ports/{port}", _Any()),
    Route(_PATH, _Any()),
    WebSocketRoute(_PATH, _port_websocket),
]


async def _unreachable(_request: Request) -> Any:
    raise AssertionError("proxied requests are answered by `proxy_routes`")


described = [
    ApiRoute(
        method=method, path="/v1/ports/{port}/{path}", handler=_unreachable, tag="ports", scope="host",
        summary="What the port of the sandbox answers; WebSockets too.",
        in_path={"port": {"type": "integer", "minimum": 1, "maximum": _LAST_PORT}},
        errors=[PortForbidden, PortUnreachable, LimitReached, Timeout],
    )
    for method in sorted(USUAL_METHODS)
]  # fmt: skip
"""The proxy, for the description of the API only."""
