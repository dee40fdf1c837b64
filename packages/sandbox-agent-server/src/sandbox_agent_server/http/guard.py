"""Who may call: the token, and the Host and Origin checks that keep web pages out (DNS rebinding)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable

from sandbox_agent_core.errors import PermissionDenied, SandboxAgentError, TokenInvalid
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox_agent_server.http.callers import OWNER, Caller, TokenCalls, put_caller
from sandbox_agent_server.http.errors import problem_response
from sandbox_agent_server.http.presented_token import presented_token
from sandbox_agent_server.settings import is_loopback
from sandbox_agent_server.store.tokens import StoredToken

__all__ = ["Guard"]

_POLICY_VIOLATION = 1008
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^][/?#@:\s]+)(?::\d*)?")
"""Nothing but a name and a port: `127.0.0.1/evil.example` is for a URL to take apart, not for us."""
_BELOW = re.compile(r"(?:[\w-][\w.-]*/)*(?:[\w-][\w.-]*)?", re.ASCII)
"""Plain names only. What somebody behind us could read in another way (dots, `//`, `%2e`, `\\`, `;`) is not
public."""


class Guard:
    """`public` are folders, `/ui/`, of which GET and HEAD need no token: a page comes before its token does.

    `find_token` knows the tokens besides the server's own; `calls` cuts off what they do when they are revoked.
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
        find_token: Callable[[str], StoredToken | None] = lambda _token: None,
        calls: TokenCalls | None = None,
    ) -> None:
        self._app = app
        self._token = token.encode() if token is not None else None
        self._allow_hosts = {host.lower() for host in allow_hosts}
        self._checks_host = is_loopback(bound_host)
        self._origins = set(cors_origins)
        self._public = tuple(public)
        self._find_token = find_token
        self._calls = calls or TokenCalls()
        for folder in self._public:
            # `/ui` would open `/ui-of-somebody-else`, and `/` everything.
            if not re.fullmatch(r"(?:/[\w-]+)+/", folder):
                raise ValueError(f"a public folder begins and ends with `/`, not {folder!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        try:
            self._check_host(headers.get("host", ""))
            self._check_origin(origin, headers.get("host", ""))
        except SandboxAgentError as exc:
            await _refuse(exc, scope, receive, send)
            return
        if origin is not None:
            # From here on, so that an allowed page can also read why it was refused.
            send = _with_cors(send, origin)
        if self._is_preflight(scope, headers):
            await self._preflight(headers)(scope, receive, send)
            return
        try:
            stored = self._check_token(scope, headers)
        except SandboxAgentError as exc:
            await _refuse(exc, scope, receive, send)
            return
        if stored is None:
            put_caller(scope, OWNER)
            await self._app(scope, receive, send)
            return
        put_caller(scope, Caller.of(stored))
        with self._calls.hold(stored):
            await self._app(scope, receive, send)

    def _check_host(self, host: str) -> None:
        """Only on loopback: elsewhere the name is whatever the network calls this machine."""
        if not self._checks_host:
            return
        name = _hostname(host)
        if not (is_loopback(name) or name in self._allow_hosts):
            raise PermissionDenied(
                f"Host {host!r} is not this server; call it by 127.0.0.1 or localhost, or start it with "
                f"--allow-host {name or 'NAME'}"
            )

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin in self._origins or "*" in self._origins:
            return
        if host and origin.partition("://")[2] == host:
            return
        raise PermissionDenied(
            f"web pages of {origin!r} may not call this server; start it with --cors-origin {origin}"
        )

    def _check_token(self, scope: Scope, headers: Headers) -> StoredToken | None:
        """None for the server's own token, and where none is needed. Raises: TokenInvalid."""
        if self._token is None or self._is_public(scope):
            return None
        token = presented_token(scope, headers)
        if secrets.compare_digest(token.encode(), self._token):
            return None
        if (stored := self._find_token(token)) is not None:
            return stored
        raise TokenInvalid("the token is wrong, or was revoked, or has expired")

    def _is_public(self, scope: Scope) -> bool:
        """By the decoded path, which is the one that is routed."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        path: str = scope["path"]
        return any(
            path.startswith(folder) and _BELOW.fullmatch(path, len(folder))
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
            },
        )


def _hostname(host: str) -> str:
    """In lower case and without the brackets of IPv6; empty when it is no host."""
    match = _HOST.fullmatch(host)
    return match["name"].strip("[]").lower() if match else ""


def _with_cors(send: Send, origin: str) -> Send:
    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
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
