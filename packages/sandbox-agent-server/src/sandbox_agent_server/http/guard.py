"""Who may call: the token, and the Host and Origin checks that keep web pages out (DNS rebinding)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable

from sandbox_agent_core.errors import PermissionDenied, SandboxAgentError, TokenInvalid
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox_agent_server.http.callers import NOBODY, OWNER, Caller, TokenCalls, put_caller
from sandbox_agent_server.http.errors import problem_response
from sandbox_agent_server.http.hosts import Hosts
from sandbox_agent_server.http.port_headers import take_out_credentials
from sandbox_agent_server.http.presented_token import presented_token, shows_token
from sandbox_agent_server.http.tickets import (
    ACCESS_TOKEN,
    Admitted,
    Resource,
    Tickets,
    query_values,
    resource_of,
)
from sandbox_agent_server.store.tokens import StoredToken

__all__ = ["PLAIN_NAMES", "Guard"]

_POLICY_VIOLATION = 1008
PLAIN_NAMES = re.compile(r"(?:[\w-][\w.-]*/)*(?:[\w-][\w.-]*)?", re.ASCII)
"""Plain names only. What somebody behind us could read in another way (dots, `//`, `%2e`, `\\`, `;`) is not
public."""


class Guard:
    """`public` are folders, `/ui/`, of which GET and HEAD need no token: a page comes before its token does. Nor do those
    of `open_paths`; a token that is shown there has to be right.

    `find_token` knows the tokens besides the server's own; `calls` cuts off what they do when they are revoked.
    `tickets` open one terminal or one port each.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        bound_host: str,
        allow_hosts: Iterable[str],
        cors_origins: Iterable[str],
        public: Iterable[str] = (),
        open_paths: Iterable[str] = (),
        find_token: Callable[[str], StoredToken | None] = lambda _token: None,
        calls: TokenCalls | None = None,
        tickets: Tickets | None = None,
    ) -> None:
        self._app = app
        self._token = token.encode() if token is not None else None
        self._hosts = Hosts(bound_host, allow_hosts)
        self._origins = set(cors_origins)
        self._public = tuple(public)
        self._open_paths = frozenset(open_paths)
        self._find_token = find_token
        self._calls = calls or TokenCalls()
        self._tickets = tickets
        for folder in self._public:
            # `/ui` would open `/ui-of-somebody-else`, and `/` everything.
            if not re.fullmatch(r"(?:/[\w-]+)+/", folder):
                raise ValueError(f"a public folder begins and ends with `/`, not {folder!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host", "")
        try:
            self._hosts.check(host)
            self._check_origin(origin, host)
        except SandboxAgentError as exc:
            await _refuse(exc, scope, receive, send)
            return
        if origin is not None:
            # From here on, so that an allowed page can also read why it was refused.
            send = _with_cors(send, origin)
        if self._is_preflight(scope, headers):
            await self._preflight(headers)(scope, receive, send)
            return
        resource = resource_of(scope)
        try:
            admitted = self._admitted(scope, headers, resource)
            who = self._who(scope, headers, resource) if admitted is None else admitted.token
        except SandboxAgentError as exc:
            await _refuse(exc, scope, receive, send)
            return
        if resource is not None and resource.kind == "port":
            take_out_credentials(
                scope,
                is_ours=self._is_token,
                keeps_authorization=self._token is None or admitted is not None,
            )
        stored = None if isinstance(who, Caller) else who
        put_caller(scope, _caller(who, admitted), admitted, stored)
        if stored is None:
            await self._app(scope, receive, send)
            return
        with self._calls.hold(stored):
            await self._app(scope, receive, send)

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin in self._origins or "*" in self._origins:
            return
        if host and origin.partition("://")[2] == host:
            return
        raise PermissionDenied(
            f"web pages of {origin!r} may not call this server; start it with --cors-origin {origin}"
        )

    def _admitted(
        self, scope: Scope, headers: Headers, resource: Resource | None
    ) -> Admitted | None:
        """By a ticket; None when there is none. Raises: TokenInvalid."""
        if self._token is None or self._tickets is None or resource is None:
            return None
        return self._tickets.presented(scope, headers, resource)

    def _who(
        self, scope: Scope, headers: Headers, resource: Resource | None
    ) -> StoredToken | Caller:
        """Raises: TokenInvalid."""
        if self._token is None or self._is_public(scope):
            return OWNER
        if self._is_open(scope) and not shows_token(headers):
            return NOBODY
        is_terminal = resource is not None and resource.kind == "terminal"
        of_query = query_values(scope, ACCESS_TOKEN) if is_terminal else ()
        token = presented_token(scope, headers, of_query=of_query)
        if self._is_own(token):
            return OWNER
        if (stored := self._find_token(token)) is not None:
            return stored
        raise TokenInvalid("the token is wrong, or was revoked, or has expired")

    def _is_own(self, token: str) -> bool:
        return self._token is not None and secrets.compare_digest(token.encode(), self._token)

    def _is_token(self, text: str) -> bool:
        return self._is_own(text) or self._find_token(text) is not None

    def _is_open(self, scope: Scope) -> bool:
        is_reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        return is_reading and scope["path"] in self._open_paths

    def _is_public(self, scope: Scope) -> bool:
        """By the decoded path, which is the one that is routed."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        path: str = scope["path"]
        return any(
            path.startswith(folder) and PLAIN_NAMES.fullmatch(path, len(folder))
            for folder in self._public
        )

    def _is_preflight(self, scope: Scope, headers: Headers) -> bool:
        return (
            scope["type"] == "http"
            and scope["method"] == "OPTIONS"
            and "origin" in headers
            and "access-control-request-method" in headers
        )

    def _preflight(self, headers: Headers) -> Response:
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
                "access-control-allow-headers": headers.get("access-control-request-headers", ""),
                "access-control-max-age": "600",
                "vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
            },
        )


def _caller(who: StoredToken | Caller | None, admitted: Admitted | None) -> Caller:
    if isinstance(who, Caller):
        return who
    if admitted is None:
        assert who is not None
        return Caller.of(who)
    return Caller(frozenset({"host"}), None if who is None else who.actor)


def _with_cors(send: Send, origin: str) -> Send:
    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            # Ids of requests and connections, cursors. Without credentials, which are never allowed, this means all.
            headers["access-control-expose-headers"] = "*"
            headers.add_vary_header("Origin")
        await send(message)

    return send_with_cors


async def _refuse(error: SandboxAgentError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.code})
        return
    headers = {"www-authenticate": "Bearer"} if error.http_status == 401 else None
    await problem_response(error, headers)(scope, receive, send)
