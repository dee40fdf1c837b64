# Generated from `_async/transport.py` by `scripts/unasync.py`: do not edit.
"""Carries out calls and opens streams over HTTP. Knows no session and keeps no state but its connections."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar
from uuid import uuid4

import httpx
from sandbox_agent_core.errors import SandboxAgentError, SandboxNotFound, ServerUnreachable
from sandbox_agent_core.spi.provider import Endpoint
from sandbox_agent_core.wire.sse import SseDecoder, SseEvent

from sandbox_agent_client._calls import Call, encoded
from sandbox_agent_client._calls.events import stream_path, stream_query, websocket_path
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
from sandbox_agent_client._resume import SILENCE_TIMEOUT_S
from sandbox_agent_client._sync._backend import Event, Lock, response_socket
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.websocket import websocket_batches

__all__ = ["DEFAULT_TIMEOUT_S", "StreamKind", "Transport"]

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 30.0
"""For one request. Streams, and calls that last as long as a turn, have their own rules."""
IDEMPOTENCY_KEY = "Idempotency-Key"
RETRY_DELAYS_S = (0.0, 0.25, 1.0)
"""Before what the server carries out once is sent again."""
EXPIRY_MARGIN = timedelta(minutes=1)

_ENTRY = "An entry of the event stream"

T = TypeVar("T")
StreamKind = Literal["sse", "ws"]
Batch = list[Mapping[str, Any]]
Locate = Callable[[], Endpoint]


class Transport:
    def __init__(
        self,
        endpoint: Endpoint,
        *,
        locate: Locate | None = None,
        stream_kind: StreamKind = "sse",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        http_client: httpx.Client | None = None,
    ) -> None:
        """`locate` asks the provider where the server answers now; a client that is given stays open."""
        self.endpoint = check_endpoint(endpoint)
        self.is_closed = False
        self.is_asleep = False
        """The sandbox is paused: the next call wakes it, streams wait until then."""
        self._locate = locate
        self._locating = Lock()
        self._stream_kind = stream_kind
        self._timeout_s = timeout_s
        self._owns_http = http_client is None
        with making_http_client():
            self._http = http_client or httpx.Client(
                # Every live stream holds a connection: the default of 100 would be a silent deadlock.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                trust_env=not is_loopback(endpoint.url),
                verify=tls_for(endpoint.url),
                follow_redirects=False,
            )

    def call(self, call: Call[T]) -> T:
        """The parsed answer.

        Raises:
            SandboxAgentError: the server's own error, typed; or ServerUnreachable, Timeout.
            RuntimeError: the client is closed.
        """
        if self.is_closed:
            raise RuntimeError("The client is closed.")
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
            raise RuntimeError("The client is closed.")
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
                timeout=httpx.Timeout(self._timeout_s, read=SILENCE_TIMEOUT_S),
            ) as response:
                _check_stream(response)
                decoder = SseDecoder()
                for chunk in response.iter_bytes():
                    for event in decoder.feed(chunk):
                        yield event

    @contextmanager
    def stream(
        self, session_id: str, after: int, interrupt: Interrupt
    ) -> Iterator[Iterator[Batch]]:
        """Batches of log entries (frame view) after a cursor; an empty batch is a heartbeat.

        One connection: ends, or raises ServerUnreachable, when the connection does.
        """
        self.locate()
        opened = self._websocket if self._stream_kind == "ws" else self._sse
        with opened(session_id, after, interrupt) as batches:
            yield batches

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

    @contextmanager
    def _sse(self, session_id: str, after: int, interrupt: Interrupt) -> Iterator[Iterator[Batch]]:
        what = f"the event stream of session {session_id}"
        with http_failures(what):
            with self._http.stream(
                "GET",
                self._url(stream_path(session_id)),
                params=dict(stream_query(after)),
                # A compressing proxy would hold events back.
                headers=self._headers(accept="text/event-stream") | {"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(self._timeout_s, read=SILENCE_TIMEOUT_S),
            ) as response:
                with interrupt.guarding(response_socket(response)):
                    _check_stream(response)
                    yield _sse_batches(response)

    @contextmanager
    def _websocket(
        self, session_id: str, after: int, interrupt: Interrupt
    ) -> Iterator[Iterator[Batch]]:
        url = httpx.URL(self._url(websocket_path(session_id)), params=dict(stream_query(after)))
        with websocket_batches(
            str(url.copy_with(scheme="wss" if url.scheme == "https" else "ws")),
            headers=self._headers(),
            interrupt=interrupt,
            timeout_s=self._timeout_s,
        ) as batches:
            yield batches

    def _url(self, path: str) -> str:
        return self.endpoint.url.rstrip("/") + path

    def _headers(self, *, accept: str | None = None, has_body: bool = False) -> dict[str, str]:
        headers = headers_of(self.endpoint)
        if has_body:
            headers["Content-Type"] = "application/json"
        if accept is not None:
            headers["Accept"] = accept
        return headers


def _check_stream(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        content = response.read()
        error = error_of_response(response.status_code, content)
        if is_problem(response):
            raise error
        # A gateway's word is not the server's: the stream asks again where the server is, and tries on.
        raise ServerUnreachable(f"A gateway answered for the server: {error.message}") from error
    kind = response.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise ServerUnreachable(f"Expected an event stream, got {kind!r}: is a gateway in between?")


def _sse_batches(response: httpx.Response) -> Iterator[Batch]:
    decoder = SseDecoder()
    for chunk in response.iter_bytes():
        yield [read_json(event.data, _ENTRY) for event in decoder.feed(chunk) if event.data]


def _document(response: httpx.Response) -> Any:
    return read_json(response.content, "The server's answer") if response.content else None
