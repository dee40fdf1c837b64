"""An HTTP connection that costs little until a request is whole: its head, its body and its silence are bounded.

uvicorn's own has no bound for a head and no time for anything but keep-alive. But for the head of an answer, what is
sent does not come through here: uvicorn writes it straight to the socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Literal, cast

from sandbox_agent_core.errors import (
    HeadTooLarge,
    InvalidRequest,
    RequestTimeout,
    SandboxAgentError,
    Unavailable,
)
from sandbox_agent_core.wire.problem import CONTENT_TYPE, to_problem
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from sandbox_agent_server.http.admission import Admission
from sandbox_agent_server.http.held_head import HeldHead
from sandbox_agent_server.http.stream import (
    ABORT,
    BODY_BY_PROGRESS,
    DRAIN,
    PIECE_BYTES,
    SEND_IN_PIECES,
)
from sandbox_agent_server.jsonio import dumps

__all__ = ["HttpConnection", "WebSocketConnection"]

logger = logging.getLogger(__name__)

_MAX_PIPELINED: Final = 16
_CHUNK_HEAD_BYTES: Final = 32
"""What the size of a chunk and its line ends may take; more is an extension that nobody reads."""
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 1024 * 1024
"""A client that is still sending reads the answer first: closing at once would reset the connection."""


class _Refused(Exception):
    """Ends the parsing of what a client sends."""


class HttpConnection(HttpToolsProtocol):
    """Of a client that may not have a token. `make_room`: it is closed when others need the place."""

    def __init__(self, *, admission: Admission, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._admission = admission
        self._limits = admission.limits
        self._reads: Literal["nothing", "head", "body"] = "nothing"
        self._head_bytes = 0
        self._framing_bytes = 0
        """What came of a body and is none of it: the heads of its chunks, trailers."""
        self._unread_bytes = 0
        """Of what came after the answer."""
        self._refusal: SandboxAgentError | None = None
        self._running: RequestResponseCycle | None = None
        """Not always `cycle`, which is the last of those that came in a row."""
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._body_stall_s: float | None = None
        """A body that may take its time has to bring something so often."""

    # The transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._admission.admit(len(self.connections)):
            self._wait(self._limits.head_timeout_s)
        else:
            self._refuse(
                Unavailable(
                    f"{self._admission.max_connections} connections are open; close some, or try again",
                    limit="max_connections",
                    value=self._admission.max_connections,
                ),
                lingers=False,
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        if self._stalled is not None:
            self._stalled.cancel()
        self._admission.works(self)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            self._unread_bytes += len(data)
            if self._unread_bytes > _LINGER_BYTES:
                self.transport.abort()
            return
        size, read = len(data), self._reads
        if read == "body":
            self._framing_bytes += size
        super().data_received(data)
        if self._refusal is not None:
            return
        if self._reads == "head":
            self._head_bytes += 0 if read == "body" else size
            if self._head_bytes > self._limits.max_head_bytes:
                self._refuse(self._head_too_large())
            else:
                self._admission.holds(self, self._head_bytes)
        elif self._reads == "body":
            if self._framing_bytes > self._limits.max_head_bytes:
                self._refuse(InvalidRequest("the body has too much around it: chunks, trailers"))
            elif self._timer is None:
                self._set_timer(self._limits.body_timeout_s)

    def handle_websocket_upgrade(self) -> None:
        self._set_timer(None)
        if not self._is_answered:
            # Two would write to one socket.
            self._refuse(InvalidRequest("a WebSocket begins when all requests are answered"))
            return
        super().handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        if isinstance(protocol, WebSocketsSansIOProtocol) and not protocol.handshake_initiated:
            # It has bounds of its own for a head, and says nothing when they are passed.
            self._refuse(HeadTooLarge("a WebSocket request may have 128 headers of 8 KiB each"))

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or InvalidRequest(msg))

    def make_room(self) -> None:
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.send_timeout_s, self._on_stall)

    def _take_body_by_progress(self, stall_s: float) -> None:
        """Of the request that is being answered: its body is bounded by its silence, not by its time."""
        if self._reads == "body" and self._running is self.cycle:
            self._body_stall_s = stall_s
            self._set_timer(stall_s)

    def _abort(self) -> None:
        """An answer cannot be ended as it was begun, and the client has to see that it is none."""
        if self._running is not None:
            self._running.disconnected = True
        self.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _on_stall(self) -> None:
        """A stream waits for its reader for ever; whoever asked for a page has to take it."""
        self._stalled = None
        if self._is_answered or not self.cycle.chunked_encoding:
            self.transport.abort()

    # The parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[DRAIN] = self.flow.drain  # type: ignore[typeddict-unknown-key]
        self.scope[BODY_BY_PROGRESS] = self._take_body_by_progress  # type: ignore[typeddict-unknown-key]
        self.scope[ABORT] = self._abort  # type: ignore[typeddict-unknown-key]
        self._reads, self._head_bytes = "head", 0
        if self._is_answered:
            self._wait(self._limits.head_timeout_s)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.max_head_bytes:
            self._refusal = self._head_too_large()
            raise _Refused
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._refusal = InvalidRequest(f"more than {_MAX_PIPELINED} requests wait in this line")
            raise _Refused
        self._body_stall_s = None
        super().on_headers_complete()
        self._reads = "body"
        self._framing_bytes = self._unread_bytes = 0
        self._set_timer(None)
        self._admission.works(self)

    def on_chunk_header(self) -> None:
        self._framing_bytes -= _CHUNK_HEAD_BYTES

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body)
        super().on_body(body)
        if self._body_stall_s is not None:
            self._set_timer(self._body_stall_s)
        if self._is_answered:
            self._unread_bytes += len(body)
            if self._unread_bytes > self._limits.max_body_bytes:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._reads = "nothing"
        self._set_timer(None)
        super().on_message_complete()
        if self._is_answered:
            self._wait(self._limits.keep_alive_s)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answered:
            return
        match self._reads:
            case "nothing":
                self._wait(self._limits.keep_alive_s)
            case "head":
                self._wait(self._limits.head_timeout_s)
            case "body":
                self._admission.waits(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if cycle.scope["method"] != "HEAD":  # whose answer is all head
            HeldHead(cycle, self.loop)
        super()._start_asgi_task(cycle, app)

    # Waiting, and its end

    @property
    def _is_answered(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None until there is a request
        return cycle is None or (cycle.response_complete and not self.pipeline)

    def _wait(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self._admission.waits(self)
        self._set_timer(seconds)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        match self._reads:
            case "head":
                limit, seconds = "head_timeout_s", self._limits.head_timeout_s
            case "body" if self._body_stall_s is not None:
                if self.flow.read_paused:  # it is us who take nothing
                    self._set_timer(self._body_stall_s)
                    return
                self._refuse_stalled(self._body_stall_s)
                return
            case "body":
                limit, seconds = "body_timeout_s", self._limits.body_timeout_s
            case "nothing":
                self.transport.close()
                return
        self._refuse(
            RequestTimeout(
                f"the {self._reads} of the request was not whole within {seconds:g} s",
                limit=limit,
                value=seconds,
            )
        )

    def _refuse_stalled(self, seconds: float) -> None:
        self._refuse(
            RequestTimeout(
                f"the body of the request brought nothing for {seconds:g} s",
                limit="upload_stall_s",
                value=seconds,
            )
        )

    def _refuse(self, error: SandboxAgentError, *, lingers: bool = True) -> None:
        """Say why and close; nothing that is still sent is looked at."""
        self._refusal = error
        self._unread_bytes = 0
        self._set_timer(None)
        self._admission.works(self)
        if self.transport.is_closing():
            return
        if self._is_answered:
            if self._reads == "body":
                self.transport.close()  # the answer was given before the body had come
                return
        else:
            if self.pipeline or self.cycle.response_started:
                self.transport.close()  # in the midst of an answer nothing can be said
                return
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        logger.info("refused with %s: %s", error.http_status, error.message)
        self.transport.write(_answer(error))
        if lingers and self.transport.can_write_eof():
            self.transport.write_eof()
            self._timer = self.loop.call_later(_LINGER_S, self.transport.abort)
        else:
            self.transport.close()

    def _head_too_large(self) -> SandboxAgentError:
        limit = self._limits.max_head_bytes
        return HeadTooLarge(
            f"the head of the request is larger than {limit} bytes",
            limit="max_head_bytes",
            value=limit,
        )


class WebSocketConnection(WebSocketsSansIOProtocol):
    """What a client breaks ends the connection, and is no bug of the server."""

    def handle_connect(self, event: Request) -> None:
        if (reason := self._why_refused(event)) is not None:
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            refusal = InvalidRequest(f"this is no WebSocket handshake: {reason}")
            self.transport.write(_answer(refusal))
            self.transport.close()
            return
        super().handle_connect(event)
        self.scope[DRAIN] = self._drain  # type: ignore[typeddict-unknown-key]
        self.scope[SEND_IN_PIECES] = self._send_in_pieces  # type: ignore[typeddict-unknown-key]

    def _why_refused(self, event: Request) -> str | None:
        for name, value in event.headers.raw_items():
            if name.lower().startswith("sec-websocket-") and not value.isascii():
                return f"{name} is not ASCII"
        if self.conn.accept(event).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        return str(self.conn.handshake_exc)

    async def _drain(self) -> None:
        await self.writable.wait()

    async def _send_in_pieces(self, message: bytes) -> None:
        """One message in fragments, the next when the client has taken the one before."""
        send: Callable[[bytes, bool], None] = self.conn.send_text
        for start in range(0, len(message), PIECE_BYTES):
            await self.writable.wait()
            if self.disconnected or self.close_sent:
                raise ClientDisconnected
            end = start + PIECE_BYTES
            try:
                send(message[start:end], end >= len(message))
            except InvalidState as exc:
                raise ClientDisconnected from exc
            self.transport.write(b"".join(self.conn.data_to_send()))
            send = self.conn.send_continuation

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.conn.fail(1007, "not UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self.disconnected = True  # so that sending ends quietly, and is no fault of who sends

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.disconnected = True


def _answer(error: SandboxAgentError) -> bytes:
    """A whole response, after which the connection is closed."""
    body = dumps(to_problem(error))
    head = (
        f"HTTP/1.1 {error.http_status} {HTTPStatus(error.http_status).phrase}\r\n"
        f"content-type: {CONTENT_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def _is_text(parts: list[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
