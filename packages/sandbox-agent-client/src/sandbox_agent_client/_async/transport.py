"""Carries out calls and opens streams over HTTP. Knows no session and keeps no state but its connections."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from sandbox_agent_core.errors import ClientClosed, ServerUnreachable, Timeout
from sandbox_agent_core.spi.provider import Endpoint
from sandbox_agent_core.wire.sse import SseDecoder, SseEvent

from sandbox_agent_client._async._backend import ClientConnection, Event
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.polling import polled_batches
from sandbox_agent_client._async.sse import check_stream, sse_batches
from sandbox_agent_client._async.websocket import open_websocket, websocket_batches
from sandbox_agent_client._async.whereabouts import Ask, Wake, Whereabouts
from sandbox_agent_client._calls import Call, encoded
from sandbox_agent_client._calls.call import Query
from sandbox_agent_client._calls.events import AnySource, Position
from sandbox_agent_client._endpoint import (
    headers_of,
    making_http_client,
    shown_url,
)
from sandbox_agent_client._failures import (
    error_of_response,
    http_failures,
    is_problem,
    read_json,
    was_sent,
)
from sandbox_agent_client._network import is_loopback, tls_for
from sandbox_agent_client._stream_choice import (
    HEARTBEAT_S,
    Attempt,
    StreamChoice,
    TransportKind,
    silence_after,
)

__all__ = ["DEFAULT_TIMEOUT_S", "Transport"]

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 30.0
"""For one request. Streams, and calls that last as long as a turn, have their own rules."""
IDEMPOTENCY_KEY = "Idempotency-Key"
RETRY_DELAYS_S = (0.0, 0.25, 1.0)
"""Before what the server carries out once, or what only reads, is sent again."""
ASK_AFTER_S = 5.0
"""Without an answer for so long, the provider is asked whether the sandbox is awake at all."""
ASK_AGAIN_S = 60.0
"""A call without a deadline is sent again when it has heard nothing for so long; it is carried out once."""
MAX_RECOVERIES = 2
"""Of one call: a server that has moved may have to be started, too."""

_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

T = TypeVar("T")
Batch = list[Mapping[str, Any]]


class Transport:
    def __init__(
        self,
        endpoint: Endpoint,
        *,
        locate: Ask | None = None,
        rouse: Ask | None = None,
        can_restart: bool = False,
        wake: Wake = "auto",
        stream_kind: TransportKind = "auto",
        heartbeat_s: float | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        """`locate`, `rouse`, `can_restart` and `wake` are for `Whereabouts`; a client that is given stays open.

        `heartbeat_s`: how often the server sends one, where it said so already.
        """
        self.whereabouts = Whereabouts(
            endpoint, locate=locate, rouse=rouse, can_restart=can_restart, wake=wake
        )
        self.is_closed = False
        self.choice = StreamChoice(stream_kind, first=endpoint.stream_kind)
        self.heartbeat_s = heartbeat_s or HEARTBEAT_S
        self._timeout_s = timeout_s
        self._owns_http = http_client is None
        with making_http_client():
            self._tls = tls_for(endpoint.url)
            # Every live stream holds a connection: the default of 100 would be a silent deadlock.
            self._http = http_client or self._new_http(max_connections=None)

    @property
    def endpoint(self) -> Endpoint:
        return self.whereabouts.endpoint

    @property
    def silence_s(self) -> float:
        """How long a stream of this server may bring nothing."""
        return silence_after(self.heartbeat_s)

    def _new_http(self, *, max_connections: int | None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=20),
            trust_env=not is_loopback(self.endpoint.url),
            verify=self._tls,
            follow_redirects=False,
        )

    async def call(self, call: Call[T], *, wakes: bool = True) -> T:
        """The parsed answer. What failed because the sandbox sleeps, has moved, or has lost its server, is sent again
        when that is mended; with `wakes=False` nothing is woken for it.

        Raises:
            SandboxAgentError: the server's own error, typed; or ServerUnreachable, Timeout.
            SandboxAsleep: the sandbox sleeps, and is not to be woken.
            SandboxNotFound: it is gone.
            ClientClosed: the client is closed.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        await self.whereabouts.ready(wakes=wakes)
        key = str(uuid4()) if call.is_once else None
        patience = self._patience(call)
        recoveries = 0
        while True:
            used, read_s = self.endpoint, next(patience)
            try:
                response = await self._send_surely(call, key, read_s)
                if response.is_success:
                    return call.parse(_document(response))
                failure = error_of_response(response.status_code, response.content)
                if is_problem(response):
                    raise failure
            except (ServerUnreachable, Timeout) as exc:
                failure = exc
            how = await self.whereabouts.recovered(used, failure, wakes=wakes)
            if isinstance(failure, Timeout) and read_s != self._deadline_s(call):
                continue  # it was only looked whether the sandbox is awake
            is_safe = how == "woken" or _is_repeatable(call) or not was_sent(failure)
            if how == "no" or not is_safe or recoveries == MAX_RECOVERIES:
                raise failure
            recoveries += 1

    def _deadline_s(self, call: Call[Any]) -> float | None:
        return self._timeout_s + call.waits_s if call.has_deadline else None

    def _patience(self, call: Call[Any]) -> Iterator[float | None]:
        """How long to wait for the answer, each time: the first time no longer than until it is worth asking whether
        the sandbox sleeps, where sending it again does no harm."""
        deadline_s = self._deadline_s(call)
        may_ask = _is_repeatable(call) and self.whereabouts.is_asked and not call.waits_s
        if may_ask and (deadline_s is None or deadline_s > ASK_AFTER_S):
            yield ASK_AFTER_S
        while deadline_s is None and call.is_once:
            yield ASK_AGAIN_S  # a connection that died tells nobody
        while True:
            yield deadline_s

    async def _send(self, call: Call[Any], key: str | None, read_s: float | None) -> httpx.Response:
        """Raises: ServerUnreachable, Timeout."""
        url = self._url(call.path)
        headers = self._headers(accept="application/json", has_body=call.body is not None)
        if key is not None:
            headers[IDEMPOTENCY_KEY] = key
        with http_failures(f"{call.method} {shown_url(url)}"):
            return await self._http.request(
                call.method,
                url,
                params=dict(call.query) or None,
                content=None if call.body is None else encoded(call.body),
                headers=headers,
                timeout=httpx.Timeout(self._timeout_s, read=read_s),
            )

    async def _send_surely(
        self, call: Call[Any], key: str | None, read_s: float | None
    ) -> httpx.Response:
        """Again, when the connection was lost and nobody knows whether it arrived, and sending it twice is the same.

        Raises: ServerUnreachable, Timeout.
        """
        may_have_arrived = False
        for delay_s in RETRY_DELAYS_S if _is_repeatable(call) else ():
            try:
                return await self._send(call, key, read_s)
            except ServerUnreachable as exc:
                # What only reads is asked again for an answer, and not to know what became of it.
                may_have_arrived = (may_have_arrived and call.is_once) or was_sent(exc)
                if not may_have_arrived:
                    raise
                logger.info("%s %s is sent again: %s", call.method, call.path, exc.message)
            await Event().wait(delay_s)
        return await self._send(call, key, read_s)

    @asynccontextmanager
    async def open(
        self,
        call: Call[Any],
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """A success whose body is read as it comes. `content`: bytes, or what they come from piece by piece.

        Raises:
            SandboxAgentError: as `call`; ServerUnreachable, Timeout also while the body is read.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        await self.whereabouts.ready(wakes=True)
        timeout = httpx.Timeout(self._timeout_s, read=read_s or self._timeout_s)
        async with AsyncExitStack() as stack:
            response = await self._opened(stack, call, content, headers or {}, timeout)
            with http_failures(f"{call.method} {shown_url(self._url(call.path))}"):
                yield response

    async def _opened(
        self,
        stack: AsyncExitStack,
        call: Call[Any],
        content: Any,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
    ) -> httpx.Response:
        can_repeat = content is None or isinstance(content, bytes)
        recoveries = 0
        while True:
            used = self.endpoint
            url = self._url(call.path)
            opening = self._http.stream(
                call.method,
                url,
                params=call.query or None,
                content=content,
                headers={**self._headers(accept="*/*"), **headers},
                timeout=timeout,
            )
            try:
                with http_failures(f"{call.method} {shown_url(url)}"):
                    response = await stack.enter_async_context(opening)
                    if response.is_success:
                        return response
                    failure = error_of_response(response.status_code, await response.aread())
                if is_problem(response):
                    raise failure
            except (ServerUnreachable, Timeout) as exc:
                failure = exc
            how = await self.whereabouts.recovered(used, failure, wakes=True)
            is_safe = can_repeat or (
                isinstance(failure, ServerUnreachable) and not was_sent(failure)
            )
            if how == "no" or not is_safe or recoveries == MAX_RECOVERIES:
                raise failure
            recoveries += 1

    async def events(self, call: Call[Any]) -> AsyncGenerator[SseEvent, None]:
        """The server-sent events that answer a call, until the server ends them.

        Raises:
            SandboxAgentError: as `call`; ServerUnreachable when the connection breaks.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        await self.whereabouts.ready(wakes=True)
        url = self._url(call.path)
        with http_failures(f"{call.method} {shown_url(url)}"):
            async with self._http.stream(
                call.method,
                url,
                params=dict(call.query) or None,
                content=None if call.body is None else encoded(call.body),
                headers=self._headers(accept="text/event-stream", has_body=call.body is not None)
                | {"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(self._timeout_s, read=self.silence_s),
            ) as response:
                await check_stream(response)
                decoder = SseDecoder()
                async for chunk in response.aiter_bytes():
                    for event in decoder.feed(chunk):
                        yield event

    @asynccontextmanager
    async def stream(
        self, source: AnySource, after: Position, interrupt: Interrupt, attempt: Attempt
    ) -> AsyncIterator[AsyncIterator[Batch]]:
        """Batches of events after a cursor, over one connection of the kind of `attempt`; an empty batch is a
        heartbeat. Ends, or raises ServerUnreachable, when the connection does."""
        await self.whereabouts.ready(wakes=False)
        url, query, headers = self._url(source.path), source.query(after), self._headers()
        what = f"the event stream of {source.name}"
        async with AsyncExitStack() as stack:
            match attempt.kind:
                case "sse":
                    opening = sse_batches(
                        self._http, url, query=query, headers=headers, interrupt=interrupt,
                        timeout_s=self._timeout_s, silence_s=self.silence_s, what=what,
                    )  # fmt: skip
                case "ws":
                    opening = websocket_batches(
                        self._websocket_url(source.websocket_path, query),
                        headers=headers, interrupt=interrupt, timeout_s=self._timeout_s,
                        silence_s=self.silence_s, what=what,
                    )  # fmt: skip
                case "poll":
                    http = self._http
                    if self._owns_http:
                        http = await stack.enter_async_context(self._new_http(max_connections=1))
                    opening = polled_batches(
                        http, url, query=query, headers=headers, interrupt=interrupt,
                        timeout_s=self._timeout_s, silence_s=self.silence_s, choice=self.choice, what=what,
                    )  # fmt: skip
            yield await stack.enter_async_context(opening)

    async def websocket(self, path: str, query: Query, *, what: str) -> ClientConnection:
        """A WebSocket of the server; whoever gets it closes it.

        Raises:
            SandboxAgentError: as `call`.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        await self.whereabouts.ready(wakes=True)
        return await open_websocket(
            self._websocket_url(path, query),
            headers=self._headers(),
            timeout_s=self._timeout_s,
            what=what,
        )

    async def close(self) -> None:
        self.is_closed = True
        if self._owns_http:
            await self._http.aclose()

    def _url(self, path: str) -> str:
        return self.endpoint.url.rstrip("/") + path

    def _websocket_url(self, path: str, query: Query) -> str:
        url = httpx.URL(self._url(path), params=dict(query))
        return str(url.copy_with(scheme=_WEBSOCKET_SCHEMES[url.scheme]))

    def _headers(self, *, accept: str | None = None, has_body: bool = False) -> dict[str, str]:
        headers = headers_of(self.endpoint)
        if has_body:
            headers["Content-Type"] = "application/json"
        if accept is not None:
            headers["Accept"] = accept
        return headers


def _is_repeatable(call: Call[Any]) -> bool:
    """Sending it twice is the same as once."""
    return call.is_once or call.method == "GET"


def _document(response: httpx.Response) -> Any:
    return read_json(response.content, "The server's answer") if response.content else None
