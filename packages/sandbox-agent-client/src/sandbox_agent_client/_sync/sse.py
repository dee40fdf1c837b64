# Generated from `_async/sse.py` by `scripts/unasync.py`: do not edit.
"""One connection of server-sent events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from sandbox_agent_core.errors import ServerUnreachable
from sandbox_agent_core.wire.sse import SseDecoder

from sandbox_agent_client._failures import (
    error_of_response,
    http_failures,
    is_problem,
    read_json,
    stream_silence,
)
from sandbox_agent_client._sync._backend import response_socket
from sandbox_agent_client._sync.interrupt import Interrupt

__all__ = ["check_stream", "sse_batches"]

_EVENT = "An event of the stream"


@contextmanager
def sse_batches(
    http: httpx.Client,
    url: str,
    *,
    query: Mapping[str, str | int],
    headers: Mapping[str, str],
    interrupt: Interrupt,
    timeout_s: float,
    silence_s: float,
    what: str,
) -> Iterator[Iterator[list[Mapping[str, Any]]]]:
    """Batches of events; an empty batch is a heartbeat.

    Raises:
        SandboxAgentError: the server refused, or the connection failed.
    """
    with http_failures(what), stream_silence(what, silence_s):
        with http.stream(
            "GET",
            url,
            params=dict(query),
            # A compressing proxy would hold events back.
            headers={**headers, "Accept": "text/event-stream", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(timeout_s, read=silence_s),
        ) as response:
            with interrupt.guarding(response_socket(response)):
                check_stream(response)
                yield _batches(response)


def check_stream(response: httpx.Response) -> None:
    """Raises: the error that it is instead of a stream."""
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


def _batches(response: httpx.Response) -> Iterator[list[Mapping[str, Any]]]:
    decoder = SseDecoder()
    for chunk in response.iter_bytes():
        yield [read_json(event.data, _EVENT) for event in decoder.feed(chunk) if event.data]
