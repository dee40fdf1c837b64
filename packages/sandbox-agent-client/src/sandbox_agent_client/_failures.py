"""The one seam where errors of httpx and websockets become ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sandbox_agent_core.errors import (
    InternalError,
    InvalidRequest,
    NotServed,
    SandboxAgentError,
    ServerUnreachable,
    Timeout,
)
from sandbox_agent_core.wire.problem import CONTENT_TYPE, from_problem
from websockets.exceptions import InvalidStatus, WebSocketException

__all__ = [
    "error_of_response",
    "http_failures",
    "is_problem",
    "is_silence",
    "read_json",
    "stream_silence",
    "was_sent",
    "websocket_failures",
]

_EXCERPT_CHARS = 300


@contextmanager
def http_failures(what: str) -> Iterator[None]:
    """Raises: ServerUnreachable, Timeout or InvalidRequest instead of what httpx raises."""
    try:
        yield
    except SandboxAgentError:
        raise  # some are errors of Python, too
    except (httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
        raise ServerUnreachable(f"{what}: could not connect in time.") from exc
    except httpx.TimeoutException as exc:
        raise Timeout(f"{what}: no answer in time; it may have been carried out.") from exc
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):
        # The words of this error may be the value of a header.
        raise InvalidRequest(
            f"{what}: the address or a header holds characters that HTTP cannot carry."
        ) from None
    except (httpx.HTTPError, httpx.StreamError, OSError, ExceptionGroup) as exc:
        raise ServerUnreachable(f"{what}: {str(exc) or type(exc).__name__}") from exc
    except RuntimeError as exc:
        # httpx, when another thread or task has closed the client meanwhile.
        if "has been closed" not in str(exc):
            raise
        raise ServerUnreachable(f"{what}: the client is closed") from exc


def was_sent(failure: SandboxAgentError) -> bool:
    """The connection was lost in the middle of it, or nothing was heard of it: it may have been carried out."""
    if isinstance(failure, Timeout):
        return True
    return isinstance(failure.__cause__, (httpx.NetworkError, httpx.RemoteProtocolError)) and not (
        isinstance(failure.__cause__, httpx.ConnectError)
    )


@contextmanager
def websocket_failures(what: str) -> Iterator[None]:
    """Raises: the error that the server refused the handshake with, ServerUnreachable or InvalidRequest."""
    try:
        yield
    except SandboxAgentError:
        raise
    except InvalidStatus as exc:
        error = error_of_response(exc.response.status_code, bytes(exc.response.body or b""))
        if exc.response.headers.get("content-type", "").startswith(CONTENT_TYPE):
            raise error from exc
        raise ServerUnreachable(f"A gateway answered for the server: {error.message}") from exc
    except (UnicodeError, ImportError):
        # A header that cannot be sent, whose value this may quote; or a proxy that needs more than is installed.
        raise InvalidRequest(
            f"{what}: the address, a header or the proxy of the environment cannot be used."
        ) from None
    except (WebSocketException, EOFError, OSError, ExceptionGroup) as exc:
        raise ServerUnreachable(f"{what}: {str(exc) or type(exc).__name__}") from exc


@contextmanager
def stream_silence(what: str, silence_s: float) -> Iterator[None]:
    """Raises: ServerUnreachable (`is_silence`) when a stream brought nothing for so long."""
    try:
        yield
    except SandboxAgentError:
        raise
    except (httpx.ReadTimeout, TimeoutError) as exc:
        raise ServerUnreachable(
            f"{what} brought nothing for {silence_s:g} s, not even a heartbeat", silentS=silence_s
        ) from exc


def is_silence(failure: SandboxAgentError) -> bool:
    return "silentS" in failure.details


def error_of_response(status: int, body: bytes) -> SandboxAgentError:
    """The typed error of a response that is not a success; also of a foreign gateway's."""
    problem = _document(body)
    if problem is None:
        text = body.decode("utf-8", "replace").strip()[:_EXCERPT_CHARS]
        problem = {"detail": f"the server answered {status}: {text}" if text else None}
    error = from_problem(problem, status)
    if status == 404 and type(error) is InvalidRequest:
        # So says a server of another make of a path that it does not know. Ours calls nothing invalid with this status.
        return NotServed(
            f"The server does not serve this: {error.message}. Its `health()` says which it is."
        )
    return error


def is_problem(response: httpx.Response) -> bool:
    """The error is our server's own: it says so by the type of its content."""
    kind: str = response.headers.get("content-type", "")
    return kind.startswith(CONTENT_TYPE)


def read_json(text: str | bytes, what: str) -> Any:
    """Raises: InternalError when it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InternalError(f"{what} is not JSON: is this a sandbox-agent server?") from exc


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
