"""Every error leaves as `application/problem+json`."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    SandboxAgentError,
)
from sandbox_agent_core.wire.problem import CONTENT_TYPE, to_problem
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, WebSocketRoute

from sandbox_agent_server.jsonio import dumps

__all__ = ["USUAL_METHODS", "exception_handlers", "problem_response"]

USUAL_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def problem_response(error: SandboxAgentError, headers: dict[str, str] | None = None) -> Response:
    return Response(
        dumps(to_problem(error)),
        status_code=error.http_status,
        media_type=CONTENT_TYPE,
        headers=headers,
    )


async def _ours(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, SandboxAgentError)
    headers = {"www-authenticate": "Bearer"} if exc.http_status == 401 else None
    return problem_response(exc, headers)


async def _starlettes(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    if exc.status_code == 404 and _is_websocket(request):
        return problem_response(
            InvalidRequest(
                f"{request.scope['path']} is a WebSocket: connect to it with `Upgrade: websocket`"
            )
        )
    if exc.status_code == 404:
        return problem_response(NotFound(_why_nothing_is_at(request.scope["path"])))
    if exc.status_code == 405:
        allow = _methods_offered(request)
        error = MethodNotAllowed(f"{request.method} is not offered here; use {allow}")
        return problem_response(error, {"allow": allow})
    return problem_response(InvalidRequest(str(exc.detail)))


def _is_websocket(request: Request) -> bool:
    as_websocket = {**request.scope, "type": "websocket"}
    return request.method == "GET" and any(
        isinstance(route, WebSocketRoute) and route.matches(as_websocket)[0] is Match.FULL
        for route in request.app.routes
    )


def _why_nothing_is_at(path: str) -> str:
    if path.startswith("/v1/desktop/"):
        return (
            "this server has no desktop: programs without a window run under /v1/processes, and a browser that is driven "
            "without a screen is one of them"
        )
    if path == "/opencode" or path.startswith("/opencode/"):
        return (
            "this server does not speak OpenCode's API: sessions with OpenCode, as with any agent, are at /v1/sessions, "
            "and over ACP at /v1/acp and /acp"
        )
    return f"there is nothing at {path}; /openapi.json describes the routes"


def _methods_offered(request: Request) -> str:
    """Of all routes of this path: Starlette tells those of the first one only. `/x/config` is not `/x/{id}`, though that
    would match, too."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods: set[str] = set()
    for route in matching:
        if route.path == matching[0].path:
            # One without a list takes them all, also those that have no name yet.
            methods |= route.methods or USUAL_METHODS
    return ", ".join(sorted(methods))


def exception_handlers() -> dict[Any, Any]:
    return {SandboxAgentError: _ours, HTTPException: _starlettes}
