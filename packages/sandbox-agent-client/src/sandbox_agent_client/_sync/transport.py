# Generated from `_async/transport.py` by `scripts/unasync.py`: do not edit.
"""Carries out calls and opens streams over HTTP. Knows no session and keeps no state but its connections."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from sandbox_agent_core.errors import (
    ClientClosed,
    SandboxAgentError,
    SandboxNotFound,
    ServerUnreachable,
)
from sandbox_agent_core.spi.provider import Endpoint
from sandbox_agent_core.wire.sse import SseDecoder, SseEvent

from sandbox_agent_client._calls import Call, encoded
from sandbox_agent_client._calls.events import AnySource, Position
from sandbox_agent_client._endpoint import (
    check_endpoint,
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
from sandbox_agent_client._sync._backend import Event, Lock
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.polling import polled_batches
from sandbox_agent_client._sync.sse import check_stream, sse_batches
from sandbox_agent_client._sync.websocket import websocket_batches

__all__ = ["DEFAULT_TIMEOUT_S", "Transport"]

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 30.0
"""For one request. Streams, and calls that last as long as a turn, have their own rules."""
IDEMPOTENCY_KEY = "Idempotency-Key"
RETRY_DELAYS_S = (0.0, 0.25, 1.0)
"""Before what the server carries out once is sent again."""
EXPIRY_MARGIN = timedelta(minutes=1)

_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

T = TypeVar("T")
Batch = list[Mapping[str, Any]]
Locate = Callable[[], Endpoint]


class Transport:
    def __init__(
        self,
        endpoint: Endpoint,
        *,
        locate: Locate | None = None,
        stream_kind: TransportKind = "auto",
        heartbeat_s: float | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        http_client: httpx.Client | None = None,
    ) -> None:
        """`locate` asks the provider where the server answers now; a client that is given stays open.

        `heartbeat_s`: how often the server sends one, where it said so already.
        """
        self.endpoint = check_endpoint(endpoint)
        self.is_closed = False
        self.is_asleep = False
        """The sandbox is paused: the next call wakes it, streams wait until then."""
        self._locate = locate
        self._locating = Lock()
        self.choice = StreamChoice(stream_kind, first=endpoint.stream_kind)
        self.heartbeat_s = heartbeat_s or HEARTBEAT_S
        self._timeout_s = timeout_s
        self._owns_http = http_client is None
        with making_http_client():
            self._tls = tls_for(endpoint.url)
            # Every live stream holds a connection: the default of 100 would be a silent deadlock.
            self._http = http_client or self._new_http(max_connections=None)

    @property
    def silence_s(self) -> float:
        """How long a stream of this server may bring nothing."""
        return silence_after(self.heartbeat_s)

    def _new_http(self, *, max_connections: int | None) -> httpx.Client:
        return httpx.Client(
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=20),
            trust_env=not is_loopback(self.endpoint.url),
            verify=self._tls,
            follow_redirects=False,
        )

    def call(self, call: Call[T]) -> T:
        """The parsed answer.

        Raises:
            SandboxAgentError: the server's own error, typed; or ServerUnreachable, Timeout.
            ClientClosed: the client is closed.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        self.locate()
        try:
            response = self._send_once(call) if call.is_once else self._send(call)
        except ServerUnreachable as exc:
            self._explain(exc)
            raise
        if not response.is_success:
            error = error_of_response(response.status_code, response.content)
            if not is_problem(response):  # a gateway's, which may not know the sandbox any more
                self._explain(error)
            raise error
        return call.parse(_document(response))

    def _send(self, call: Call[Any], key: str | None = None) -> httpx.Response:
        """Raises: ServerUnreachable, Timeout."""
        url = self._url(call.path)
        headers = self._headers(accept="application/json", has_body=call.body is not None)
        if key is not None:
            headers[IDEMPOTENCY_KEY] = key
        with http_failures(f"{call.method} {shown_url(url)}"):
            return self._http.request(
                call.method,
                url,
                params=dict(call.query) or None,
                content=None if call.body is None else encoded(call.body),
                headers=headers,
                timeout=httpx.Timeout(
                    self._timeout_s,
                    read=self._timeout_s + call.waits_s if call.has_deadline else None,
                ),
            )

    def _send_once(self, call: Call[Any]) -> httpx.Response:
        """Again, when the connection was lost and nobody knows whether it arrived: the key makes that safe.

        Raises: ServerUnreachable, Timeout.
        """
        key, may_have_arrived = str(uuid4()), False
        for delay_s in RETRY_DELAYS_S:
            try:
                return self._send(call, key)
            except ServerUnreachable as exc:
                may_have_arrived = may_have_arrived or was_sent(exc)
                if not may_have_arrived:
                    raise
                logger.info("%s %s is sent again: %s", call.method, call.path, exc.message)
            Event().wait(delay_s)
        return self._send(call, key)

    def events(self, call: Call[Any]) -> Generator[SseEvent, None, None]:
        """The server-sent events that answer a call, until the server ends them.

        Raises:
            SandboxAgentError: as `call`; ServerUnreachable when the connection breaks.
        """
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        self.locate()
        url = self._url(call.path)
        with http_failures(f"{call.method} {shown_url(url)}"):
            with self._http.stream(
                call.method,
                url,
                params=dict(call.query) or None,
                content=None if call.body is None else encoded(call.body),
                headers=self._headers(accept="text/event-stream", has_body=call.body is not None)
                | {"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(self._timeout_s, read=self.silence_s),
            ) as response:
                check_stream(response)
                decoder = SseDecoder()
                for chunk in response.iter_bytes():
                    for event in decoder.feed(chunk):
                        yield event

    @contextmanager
    def stream(
        self, source: AnySource, after: Position, interrupt: Interrupt, attempt: Attempt
    ) -> Iterator[Iterator[Batch]]:
        """Batches of events after a cursor, over one connection of the kind of `attempt`; an empty batch is a
        heartbeat. Ends, or raises ServerUnreachable, when the connection does."""
        self.locate()
        url, query, headers = self._url(source.path), source.query(after), self._headers()
        what = f"the event stream of {source.name}"
        with ExitStack() as stack:
            match attempt.kind:
                case "sse":
                    opening = sse_batches(
                        self._http, url, query=query, headers=headers, interrupt=interrupt,
                        timeout_s=self._timeout_s, silence_s=self.silence_s, what=what,
                    )  # fmt: skip
                case "ws":
                    socket_url = httpx.URL(self._url(source.websocket_path), params=dict(query))
                    opening = websocket_batches(
                        str(socket_url.copy_with(scheme=_WEBSOCKET_SCHEMES[socket_url.scheme])),
                        headers=headers, interrupt=interrupt, timeout_s=self._timeout_s,
                        silence_s=self.silence_s, what=what,
                    )  # fmt: skip
                case "poll":
                    http = self._http
                    if self._owns_http:
                        http = stack.enter_context(self._new_http(max_connections=1))
                    opening = polled_batches(
                        http, url, query=query, headers=headers, interrupt=interrupt,
                        timeout_s=self._timeout_s, silence_s=self.silence_s, choice=self.choice, what=what,
                    )  # fmt: skip
            yield stack.enter_context(opening)

    def locate(self, *, again: bool = False) -> None:
        """Ask the provider for the endpoint, when what we know expires (or seems wrong: `again`).

        A paused sandbox is woken for it.
        """
        if self._locate is None or not (again or self._is_stale()):
            return
        with self._locating:
            if again or self._is_stale():
                self.endpoint = check_endpoint(self._locate())
                self.is_asleep = False

    def fall_asleep(self, pause: Callable[[], None]) -> None:
        """Calls that come meanwhile wait, and wake it.

        A pause that failed may have happened all the same: waking what is awake does no harm.
        """
        with self._locating:
            self.is_asleep = True
            pause()

    def _is_stale(self) -> bool:
        expires_at = self.endpoint.expires_at
        is_old = expires_at is not None and expires_at - EXPIRY_MARGIN < datetime.now(UTC)
        return self.is_asleep or is_old

    def _explain(self, failure: SandboxAgentError) -> None:
        """The provider may know more than that the server does not answer, and where it is next time.

        Raises:
            SandboxNotFound: the sandbox is gone.
        """
        try:
            self.locate(again=True)
        except SandboxNotFound as exc:
            raise exc from failure
        except SandboxAgentError as exc:
            logger.info("the provider does not know where the server is: %s", exc)

    def close(self) -> None:
        self.is_closed = True
        if self._owns_http:
            self._http.close()

    def _url(self, path: str) -> str:
        return self.endpoint.url.rstrip("/") + path

    def _headers(self, *, accept: str | None = None, has_body: bool = False) -> dict[str, str]:
        headers = headers_of(self.endpoint)
        if has_body:
            headers["Content-Type"] = "application/json"
        if accept is not None:
            headers["Accept"] = accept
        return headers


def _document(response: httpx.Response) -> Any:
    return read_json(response.content, "The server's answer") if response.content else None
