"""`/v1/processes`."""

from __future__ import annotations

import base64
from typing import Any

from sandbox_agent_core.api.processes import (
    ProcessConfig,
    ProcessConfigChange,
    ProcessCreateRequest,
    ProcessGap,
    ProcessInfo,
    ProcessInputRequest,
    ProcessInputResponse,
    ProcessListResponse,
    ProcessLogEntry,
    ProcessLogsResponse,
    ProcessLogsStream,
    ProcessOwner,
    ProcessRunRequest,
    ProcessRunResponse,
    TerminalSize,
)
from sandbox_agent_core.wire.sse import SseEvent

from sandbox_agent_client._calls.call import Call, body, built, nothing, path, query, reads
from sandbox_agent_client._failures import read_json

__all__ = [
    "config",
    "delete",
    "follow",
    "get",
    "kill",
    "list_all",
    "logs",
    "read_log_event",
    "resize",
    "run",
    "set_config",
    "start",
    "stop",
    "write",
]

RUN_WAITS_S = 300.0
"""For the answer of a command that says no timeout: the longest that a server gives one, unless it was told."""
STOP_WAITS_S = 30.0
_INFO = reads(ProcessInfo)
_ENTRY = reads(ProcessLogEntry)
_GAP = reads(ProcessGap)


def run(
    argv: list[str], *, timeout_s: float | None, input: bytes, **given: Any
) -> Call[ProcessRunResponse]:
    """Its output comes in base64. Raises: InvalidRequest."""
    if input:
        given |= {"input": _base64(input), "input_encoding": "base64"}
    request = built(
        ProcessRunRequest,
        command=argv[0],
        args=argv[1:],
        timeout_ms=_ms(timeout_s),
        output_encoding="base64",
        **given,
    )
    return Call(
        method="POST",
        path=path("processes", "run"),
        body=body(request),
        parse=reads(ProcessRunResponse),
        waits_s=RUN_WAITS_S if timeout_s is None else timeout_s,
    )


def start(argv: list[str], *, timeout_s: float | None, **given: Any) -> Call[ProcessInfo]:
    """Raises: InvalidRequest."""
    request = built(
        ProcessCreateRequest,
        command=argv[0],
        args=argv[1:],
        timeout_ms=_ms(timeout_s),
        **given,
    )
    return Call(
        method="POST", path=path("processes"), body=body(request), parse=_INFO, is_once=True
    )


def list_all(owner: ProcessOwner | None) -> Call[ProcessListResponse]:
    return Call(
        method="GET",
        path=path("processes"),
        query=query(owner=owner),
        parse=reads(ProcessListResponse),
    )


def get(id: str, *, wait_s: float = 0.0) -> Call[ProcessInfo]:
    """With `wait_s` the server answers when it has ended, or the time is over."""
    asked = query(wait=f"{wait_s:.3f}" if wait_s else None)
    return Call(method="GET", path=path("processes", id), query=asked, parse=_INFO, waits_s=wait_s)


def stop(id: str, *, wait_s: float | None) -> Call[ProcessInfo]:
    return _end(id, "stop", wait_s)


def kill(id: str, *, wait_s: float | None) -> Call[ProcessInfo]:
    return _end(id, "kill", wait_s)


def delete(id: str) -> Call[None]:
    return Call(method="DELETE", path=path("processes", id), parse=nothing)


def write(id: str, data: bytes, *, eof: bool = False) -> Call[ProcessInputResponse]:
    request = built(ProcessInputRequest, data=_base64(data), eof=eof or None)
    return Call(
        method="POST",
        path=path("processes", id, "input"),
        body=body(request),
        parse=reads(ProcessInputResponse),
        is_once=True,
    )


def resize(id: str, *, cols: int, rows: int) -> Call[None]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("processes", id, "terminal", "resize"),
        body=body(built(TerminalSize, cols=cols, rows=rows)),
        parse=nothing,
    )


def logs(
    id: str, *, since: int, tail: int | None, stream: ProcessLogsStream
) -> Call[ProcessLogsResponse]:
    return Call(
        method="GET",
        path=path("processes", id, "logs"),
        query=query(since=since or None, tail=tail, stream=stream),
        parse=reads(ProcessLogsResponse),
    )


def follow(id: str, *, since: int, tail: int | None, stream: ProcessLogsStream) -> Call[Any]:
    """For `Transport.events`; `read_log_event` reads them."""
    return Call(
        method="GET",
        path=path("processes", id, "logs"),
        query=query(since=since or None, tail=tail, stream=stream, follow=True),
        parse=nothing,
    )


def read_log_event(event: SseEvent) -> ProcessLogEntry | ProcessGap | ProcessInfo | None:
    """The info is that of the end. None for an event that a newer server sends."""
    if event.event not in ("log", "gap", "exit"):
        return None
    document = read_json(event.data, "An event of a process")
    if event.event == "log":
        return _ENTRY(document)
    return _GAP(document) if event.event == "gap" else _INFO(document)


def config() -> Call[ProcessConfig]:
    return Call(method="GET", path=path("processes", "config"), parse=reads(ProcessConfig))


def set_config(change: ProcessConfigChange) -> Call[ProcessConfig]:
    return Call(
        method="POST",
        path=path("processes", "config"),
        body=body(change),
        parse=reads(ProcessConfig),
    )


def _end(id: str, how: str, wait_s: float | None) -> Call[ProcessInfo]:
    return Call(
        method="POST",
        path=path("processes", id, how),
        query=query(waitMs=_ms(wait_s)),
        parse=_INFO,
        waits_s=STOP_WAITS_S if wait_s is None else wait_s,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
