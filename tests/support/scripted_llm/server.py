"""The listening half: HTTP in threads, so that agents and the test's event loop never wait for it."""

from __future__ import annotations

import gzip
import json
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import count
from types import TracebackType
from typing import Any, Self

from .actions import JSON, Drop, Fail, Hang
from .apis import ENCODERS
from .apis.reply import Event, Reply, Step
from .conversation import ApiName, read_conversation
from .request_log import LoggedRequest, RequestLog
from .scenarios import Answer, next_answer

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_MODELS = ("scripted-1", "claude-sonnet-4-5", "gpt-5-codex")
_API_PATHS: tuple[tuple[str, ApiName], ...] = (
    (r"/messages$", "anthropic"),
    (r"/responses$", "responses"),
    (r"/chat/completions$", "chat"),
    (r":(stream)?[gG]enerateContent$", "gemini"),
)


class ScriptedLLM:
    """The endpoint, listening between `__enter__` and `__exit__` on a port of its own choice."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self._server: _Server | None = None
        self._log = RequestLog()

    @property
    def port(self) -> int:
        assert self._server is not None, "ScriptedLLM is used inside a `with` block"
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Without a path: `ANTHROPIC_BASE_URL` takes it as it is, OpenAI's wants `/v1` added."""
        return f"http://{self._address[0]}:{self.port}"

    @property
    def requests(self) -> list[LoggedRequest]:
        """Model requests so far, oldest first, with their bodies."""
        return self._log.snapshot()

    def wait_for_request(
        self,
        matches: Callable[[LoggedRequest], bool] = lambda _request: True,
        *,
        timeout_s: float = 5,
    ) -> LoggedRequest:
        """Blocks the calling thread: inside a coroutine use `asyncio.to_thread`."""
        return self._log.wait_for(matches, timeout_s=timeout_s)

    def clear(self) -> None:
        """Forget the requests so far."""
        self._log.clear()

    def __enter__(self) -> Self:
        self._server = _Server(self._address, self._log)
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="scripted-llm", daemon=True
        ).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._server = None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], log: RequestLog) -> None:
        super().__init__(address, _Handler)
        self.log = log
        self.stopping = threading.Event()
        self.attempts: Counter[str] = Counter()
        self.request_numbers = count(1)
        self._id_numbers = count(1)
        self._open: set[socket.socket] = set()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._id_numbers):024d}"

    def close(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the agent was faster
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that hangs up between two requests is no news."""


class _ClientGoneError(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: `ScriptedLLM.requests` is the log."""

    def do_HEAD(self) -> None:
        self._send_json(200, {})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self._log_request(path)
        if path.startswith("/v1beta/models"):
            methods = ["generateContent"]
            model = {"name": "models/gemini-2.5-pro", "supportedGenerationMethods": methods}
            self._send_json(200, {"models": [model]})
        elif path.endswith("/models"):
            self._send_json(200, _model_list())
        else:
            self._send_error(404, f"scripted: no {self.path}")

    def do_POST(self) -> None:
        raw = self._read_body()
        path = self.path.partition("?")[0]
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            return self._send_error(400, "scripted: the body is not JSON")
        if path.endswith("/count_tokens"):
            return self._send_json(200, {"input_tokens": 100})
        if path.endswith(":countTokens"):
            return self._send_json(200, {"totalTokens": 100})
        api = next((name for pattern, name in _API_PATHS if re.search(pattern, path)), None)
        if api is None:
            self._log_request(path, body=body)
            return self._send_error(404, f"scripted: no {self.path}")
        conversation = read_conversation(api, body)
        answer = next_answer(conversation, self.server.attempts)
        stream = bool(body.get("stream")) or path.endswith(":streamGenerateContent")
        logged = self._log_request(
            path,
            api=api,
            scenario=answer.scenario,
            step=answer.step,
            stream=stream,
            tools=sorted(conversation.tools),
            body=body,
        )
        try:
            self._answer(api, answer, body, stream)
        except (_ClientGoneError, OSError):
            self.close_connection = True
            self.server.log.close(logged, "disconnected")
        else:
            self.server.log.close(logged, "answered")

    def _answer(self, api: ApiName, answer: Answer, body: JSON, stream: bool) -> None:
        first = answer.actions[0]
        if isinstance(first, Fail):
            return self._send_error(first.status, first.message or f"scripted {first.status}")
        encoder = ENCODERS[api]
        reply = Reply(body, answer.actions, self.server.new_id)
        if not stream:
            return self._send_json(200, encoder.whole(reply))
        self._start_sse()
        for step in encoder.stream(reply):
            self._send_step(step)

    def _send_step(self, step: Step) -> None:
        match step:
            case Event():
                text = step.data if isinstance(step.data, str) else json.dumps(step.data)
                head = f"event: {step.name}\n" if step.name else ""
                self.wfile.write(f"{head}data: {text}\n\n".encode())
                self._pause(step.pause_s)
            case Hang():
                for _ in range(int(step.duration_s / 0.2)):
                    self._pause(0.2)
                    self.wfile.write(b": ping\n\n")
            case Drop():
                self.connection.shutdown(socket.SHUT_RDWR)
                raise _ClientGoneError

    def _pause(self, seconds: float) -> None:
        if seconds and self.server.stopping.wait(seconds):
            raise _ClientGoneError

    def _log_request(self, path: str, **fields: Any) -> LoggedRequest:
        headers = {key.lower(): value for key, value in self.headers.items()}
        number = next(self.server.request_numbers)
        logged = LoggedRequest(number, self.command, path, headers=headers, **fields)
        self.server.log.add(logged)
        return logged

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            raw = b"".join(iter(self._read_chunk, b""))
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding", "").lower() == "gzip":
            raw = gzip.decompress(raw)
        return raw

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _start_sse(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("request-id", self.server.new_id("req"))
        self.send_header("connection", "close")
        self.end_headers()

    def _send_error(self, status: int, message: str) -> None:
        kind = _ERROR_TYPES.get(status, "api_error")
        error = {"type": kind, "message": message, "code": str(status)}
        self._send_json(status, {"type": "error", "error": error}, retry_after="1")

    def _send_json(self, status: int, content: JSON, *, retry_after: str | None = None) -> None:
        payload = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)


def _model_list() -> JSON:
    models = [
        {
            "id": name,
            "object": "model",
            "type": "model",
            "display_name": name,
            "created": 1700000000,
            "created_at": "2025-01-01T00:00:00Z",
            "owned_by": "scripted",
        }
        for name in _MODELS
    ]
    ends = {"first_id": _MODELS[0], "last_id": _MODELS[-1], "has_more": False}
    return {"object": "list", "models": [], "data": models, **ends}
