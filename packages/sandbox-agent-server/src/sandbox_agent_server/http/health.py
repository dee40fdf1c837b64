"""`GET /v1/health` before everything else: it is asked often, by many, and shall cost next to nothing.

What is unusual about a request (a web page's, a token that is not the server's own, a host that is not known) is left to
the route behind, which answers the same in the way of all routes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from sandbox_agent_core.api.agents import Health
from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.ids import new_id
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox_agent_server.http.hosts import Hosts
from sandbox_agent_server.http.route import document
from sandbox_agent_server.jsonio import dumps

__all__ = ["HEALTH", "HealthFirst"]

HEALTH: Final = "/v1/health"
_TOKEN_HEADER: Final = TOKEN_HEADER.lower().encode()
_TO_NOBODY: Final = dumps(document(Health(status="ok")))


class HealthFirst:
    """Outermost, and in no log: a line for each look would bury the others."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        bound_host: str,
        allow_hosts: Iterable[str],
        health: Callable[[], Health],
    ) -> None:
        self._app = app
        self._bearer = None if token is None else f"Bearer {token}".encode()
        self._hosts = Hosts(bound_host, allow_hosts)
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != HEALTH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        body = self._answer(scope)
        if body is None:
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", new_id("rid").encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Scope) -> bytes | None:
        """None for what is not as usual."""
        host, shown = "", None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"authorization" and shown is None:
                shown = value
            elif name in (b"authorization", b"origin", _TOKEN_HEADER):
                return None
        if not self._hosts.knows(host):
            return None
        if shown is None:
            return _TO_NOBODY if self._bearer is not None else self._full()
        if self._bearer is None or secrets.compare_digest(shown, self._bearer):
            return self._full()
        return None

    def _full(self) -> bytes:
        return dumps(document(self._health()))
