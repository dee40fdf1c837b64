"""A route and what `/openapi.json` says of it, in one place, so that neither can forget the other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sandbox_agent_core.api.tokens import TokenScope
from sandbox_agent_core.errors import SandboxAgentError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.jsonio import dumps

__all__ = ["ApiRoute", "ApiWebSocket", "Query", "document", "json_response"]

Handler = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Query:
    name: str
    schema: dict[str, Any]
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRoute:
    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    scope: TokenScope = "admin"
    """What the caller's token must be good for; what says nothing is not for everybody."""
    body: type[BaseModel] | None = None
    result: type[BaseModel] | None = None
    status: int = 200
    query: Sequence[Query] = ()
    in_path: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Schemas of parameters of the path that are no text of any kind."""
    headers: Sequence[Query] = ()
    """Those that are peculiar to it."""
    errors: Sequence[type[SandboxAgentError]] = ()
    takes: Sequence[str] = ()
    """Media types of a body that is bytes."""
    gives: Sequence[str] = ()
    """Media types of an answer that is bytes."""
    streams: str | None = None
    """What the route sends when asked for `text/event-stream`."""
    streams_events: bool = False
    """And that is events."""
    is_idempotent: bool = False
    """It takes an `Idempotency-Key`."""
    is_open: bool = False
    """It answers without a token, too: then with nothing that is not for everybody. GET alone."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def documented_path(self) -> str:
        """Without what tells the router how a parameter is read."""
        return re.sub(r"{(\w+):\w+}", r"{\1}", self.path)

    def to_starlette(self) -> Route:
        return Route(self.path, self._checked, methods=[self.method])

    async def _checked(self, request: Request) -> Any:
        what = f"{self.method} {self.path}"
        caller_of(request).require(self.scope, to=what)
        return await self.handler(request)


class ApiWebSocket(WebSocketRoute):
    """A route for WebSockets, and what the description says of it. Its handler looks after the scope itself: a refusal
    goes by the words of a WebSocket."""

    def __init__(
        self,
        path: str,
        handler: Callable[[WebSocket], Awaitable[None]],
        *,
        summary: str,
        tag: str,
        scope: TokenScope,
        query: Sequence[Query] = (),
    ) -> None:
        super().__init__(path, handler)
        self.summary = summary
        self.tag = tag
        self.scope = scope
        self.query = query


def json_response(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    return Response(dumps(document(body)), status_code=status, media_type="application/json")


def document(body: BaseModel | dict[str, Any]) -> dict[str, Any]:
    """As it is sent."""
    if isinstance(body, BaseModel):
        return body.model_dump(by_alias=True, exclude_none=True, mode="json")
    return body
