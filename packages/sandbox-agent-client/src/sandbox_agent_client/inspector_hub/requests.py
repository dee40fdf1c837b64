"""Requests passed on to a server, and its answers: streamed both ways, nothing gathered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
from sandbox_agent_core.errors import ServerUnreachable
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._endpoint import making_http_client, shown_url
from sandbox_agent_client._network import is_loopback
from sandbox_agent_client.inspector_hub.passing import (
    Headers,
    answer_headers,
    request_headers,
    target_of,
)
from sandbox_agent_client.inspector_hub.servers import HubServers

__all__ = ["Requests"]

logger = logging.getLogger(__name__)

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

CONNECT_TIMEOUT_S = 15.0
_CAN_REPEAT = ("GET", "HEAD")
_COOKIES = b"/v1/ports/"
"""Where a server gives some; those of other programs on this machine come along, too."""


class Requests:
    def __init__(self, servers: HubServers) -> None:
        self._servers = servers
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def pass_on(
        self,
        name: str,
        path: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        prefix: bytes,
        is_admitted: bool,
    ) -> None:
        """Raises: SandboxNotFound, SandboxAsleep, ProviderError, ServerUnreachable: before anything is sent."""
        wakes = is_admitted and not _is_stream(scope)
        body = _Body(scope, receive)
        while True:
            endpoint = await self._servers.endpoint(name, wakes=wakes)
            try:
                response = await self._begun(endpoint, path, scope, body, is_admitted=is_admitted)
                break
            except httpx.HTTPError as exc:
                self._servers.forget(name, endpoint)
                # Once more: it has moved, or sleeps.
                if not body.is_untouched or scope["method"] not in _CAN_REPEAT or body.tries > 1:
                    raise ServerUnreachable(
                        f"{name!r} does not answer at {shown_url(endpoint.url)}: {str(exc) or type(exc).__name__}"
                    ) from exc
        try:
            headers = answer_headers(
                response.headers.raw,
                prefix=prefix,
                url=endpoint.url,
                target=target_of(scope, endpoint, path),
                port=(scope.get("server") or (None, None))[1],
            )
            await _answer(response, headers, body, send)
        finally:
            await response.aclose()

    async def _begun(
        self, endpoint: Endpoint, path: bytes, scope: Scope, body: _Body, *, is_admitted: bool
    ) -> httpx.Response:
        body.tries += 1
        headers = request_headers(scope, endpoint, is_admitted=is_admitted)
        if not path.startswith(_COOKIES):
            headers = [one for one in headers if one[0] != b"cookie"]
        if not any(name == b"accept-encoding" for name, _ in headers):
            # The client would ask for what the caller cannot read.
            headers.append((b"accept-encoding", b"identity"))
        client = self._client(endpoint.url)
        request = client.build_request(
            scope["method"],
            target_of(scope, endpoint, path),
            headers=headers,
            content=body.pieces() if body.is_there else None,
        )
        return await client.send(request, stream=True)

    def _client(self, url: str) -> httpx.AsyncClient:
        is_here = is_loopback(url)
        if is_here not in self._clients:
            with making_http_client():
                self._clients[is_here] = httpx.AsyncClient(
                    trust_env=not is_here,
                    follow_redirects=False,
                    timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                    # A stream is a connection each, and browsers have tabs.
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                )
        return self._clients[is_here]


class _Body:
    """Of a request, as the browser sends it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self.is_there = bool(names & {b"content-length", b"transfer-encoding"})
        self.is_untouched = True
        self.tries = 0
        self._receive = receive

    async def pieces(self) -> AsyncIterator[bytes]:
        self.is_untouched = False
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise httpx.WriteError("the browser has left")
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def until_disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _answer(response: httpx.Response, headers: Headers, body: _Body, send: Send) -> None:
    """Until its end, or until the browser has left."""

    async def respond() -> None:
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        async for piece in response.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    tasks = {asyncio.ensure_future(respond()), asyncio.ensure_future(body.until_disconnected())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        # The server has gone in the middle of it: what is cut off says so itself, to whoever counts.
        with suppress(httpx.HTTPError):
            task.result()


def _is_stream(scope: Scope) -> bool:
    """One that follows only looks: it would wake at once what was put to sleep."""
    return any(
        name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"]
    )
