"""`/v1/processes`: run a command; start, watch, feed and end processes."""

from __future__ import annotations

from typing import Any, Final, get_args

from sandbox_agent_core.api.processes import (
    ProcessConfig,
    ProcessConfigChange,
    ProcessCreateRequest,
    ProcessInfo,
    ProcessInputRequest,
    ProcessInputResponse,
    ProcessListResponse,
    ProcessLogsResponse,
    ProcessLogsStream,
    ProcessOwner,
    ProcessRunRequest,
    ProcessRunResponse,
    TerminalSize,
)
from sandbox_agent_core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotADirectory,
    PathForbidden,
    PathNotFound,
    PayloadTooLarge,
    ProcessNotFound,
    ProcessNotRunning,
    ProcessRunning,
    ProcessStartFailed,
    StorageError,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sandbox_agent_server.host.processes.process import HostProcess
from sandbox_agent_server.http.body import (
    query_bool,
    query_choice,
    query_int,
    query_seconds,
    read_body,
    whole_number,
)
from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.idempotency import HEADER
from sandbox_agent_server.http.process_log import LogQuery, follow_output, output_page
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import MAX_SEQ
from sandbox_agent_server.http.waiting import unless_it_leaves
from sandbox_agent_server.runtime.launching import PtySize

__all__ = ["routes"]

_STREAMS: Final = ("combined", "stdout", "stderr", "pty")
_MAX_WAIT_MS: Final = 86_400_000


async def _run(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, ProcessRunRequest, services.settings.limits)

    async def work(begun: Any) -> Response:
        begun()
        return json_response(await services.processes.run(body))

    if request.headers.get(HEADER) is not None:
        # Who gives a key may come back for the answer.
        return await services.once.answer(request, body, work)
    return await unless_it_leaves(request, work(lambda: None))


async def _start(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, ProcessCreateRequest, services.settings.limits)

    async def work(begun: Any) -> Response:
        process = await services.processes.start(body, actor=caller_of(request).actor)
        begun()
        return json_response(process.info)

    return await services.once.answer(request, body, work)


async def _list(request: Request) -> Response:
    owners = get_args(ProcessOwner)
    owner = request.query_params.get("owner")
    if owner is not None:
        query_choice(request, "owner", owners)
    processes = services_of(request).processes.list(owner)
    return json_response(ProcessListResponse(processes=processes))


async def _get(request: Request) -> Response:
    services = services_of(request)
    process = _process(request)
    wait_s = query_seconds(request, "wait", default=0)
    if wait_s and process.is_running:
        timeout_s = min(wait_s, services.settings.limits.max_wait_s)
        services.streams.check()
        with services.streams.hold():
            await unless_it_leaves(request, process.wait(timeout_s))
    return json_response(process.info)


async def _delete(request: Request) -> Response:
    await services_of(request).processes.delete(request.path_params["process_id"])
    return Response(status_code=204)


async def _stop(request: Request) -> Response:
    processes = services_of(request).processes
    process_id = request.path_params["process_id"]
    return json_response(await processes.stop(process_id, wait_s=_wait_s(request)))


async def _kill(request: Request) -> Response:
    processes = services_of(request).processes
    process_id = request.path_params["process_id"]
    return json_response(await processes.kill(process_id, wait_s=_wait_s(request)))


async def _logs(request: Request) -> ASGIApp:
    services = services_of(request)
    process = _process(request)
    stream: ProcessLogsStream = query_choice(request, "stream", _STREAMS)  # type: ignore[assignment]
    since = query_int(request, "since", default=0, minimum=0, maximum=MAX_SEQ)
    tail = query_int(request, "tail", default=-1, minimum=0, maximum=MAX_SEQ)
    last_id = request.headers.get("last-event-id")
    if last_id:
        sequence = whole_number(last_id)
        if sequence is None or sequence > MAX_SEQ:
            raise InvalidRequest(f"`Last-Event-ID` must be a sequence, not {last_id[:64]!r}")
        since = sequence
    query = LogQuery(stream, since, None if tail < 0 or last_id else tail)
    if query_bool(request, "follow", default=False):
        return follow_output(process, query, services.streams, services.settings.limits)
    return output_page(process, query, services.answers, services.settings.limits)


async def _input(request: Request) -> Response:
    services = services_of(request)
    limits = services.settings.limits
    process = _process(request)
    body = await read_body(request, ProcessInputRequest, limits)
    try:
        data = body.decoded()
    except ValueError as exc:
        raise InvalidRequest(str(exc)) from exc
    limit = services.processes.bounds.now.max_input_bytes_per_request
    if len(data) > limit:
        raise PayloadTooLarge(
            f"the input is {len(data)} bytes; send at most {limit} in one request",
            limit="maxInputBytesPerRequest",
            value=limit,
        )

    async def work(begun: Any) -> Response:
        await process.write(
            data,
            eof=body.eof,
            in_all=max(limits.max_unread_input_bytes, limit),
            patience_s=limits.process_input_wait_s,
        )
        begun()
        return json_response(ProcessInputResponse(bytes_written=len(data)))

    return await services.once.answer(request, body, work)


async def _resize(request: Request) -> Response:
    process = _process(request)
    process.check_terminal()
    size = await read_body(request, TerminalSize, services_of(request).settings.limits)
    process.resize(PtySize(rows=size.rows, cols=size.cols))
    return json_response(size)


async def _config(request: Request) -> Response:
    return json_response(services_of(request).processes.bounds.now)


async def _set_config(request: Request) -> Response:
    services = services_of(request)
    change = await read_body(request, ProcessConfigChange, services.settings.limits)
    services.processes.bounds.change(change)
    return json_response(services.processes.bounds.now)


def _process(request: Request) -> HostProcess:
    """Raises: ProcessNotFound."""
    return services_of(request).processes.get(request.path_params["process_id"])


def _wait_s(request: Request) -> float | None:
    if "waitMs" not in request.query_params:
        return None
    return query_int(request, "waitMs", default=0, minimum=0, maximum=_MAX_WAIT_MS) / 1000


_ONE = "/v1/processes/{process_id}"
_START_ERRORS = [LimitReached, ProcessStartFailed, PathNotFound, NotADirectory, PathForbidden]
_WAIT_MS = Query(
    "waitMs", {"type": "integer", "minimum": 0, "maximum": _MAX_WAIT_MS},
    "Answer after so many milliseconds, though it may not have ended yet. Default: when it has.",
)  # fmt: skip

routes = [
    ApiRoute(
        method="GET", path="/v1/processes/config", handler=_config, scope="host", tag="processes",
        summary="The bounds of commands and processes.", result=ProcessConfig,
    ),
    ApiRoute(
        method="POST", path="/v1/processes/config", handler=_set_config, scope="host", tag="processes",
        summary="Change some of them, for what is started from now on, also after a restart.",
        body=ProcessConfigChange, result=ProcessConfig, errors=[StorageError],
    ),
    ApiRoute(
        method="POST", path="/v1/processes/run", handler=_run, scope="host", tag="processes",
        summary="Run a command to its end. It is killed when the client leaves, unless there is an `Idempotency-Key`.",
        body=ProcessRunRequest, result=ProcessRunResponse, is_idempotent=True, errors=_START_ERRORS,
    ),
    ApiRoute(
        method="POST", path="/v1/processes", handler=_start, scope="host", tag="processes",
        summary="Start a process that runs on by itself, with pipes or on a terminal.",
        body=ProcessCreateRequest, result=ProcessInfo, is_idempotent=True,
        errors=[*_START_ERRORS, StorageError],
    ),
    ApiRoute(
        method="GET", path="/v1/processes", handler=_list, scope="host", tag="processes",
        summary="Those that run, and the last that have ended; oldest first.", result=ProcessListResponse,
        query=[Query("owner", {"type": "string", "enum": list(get_args(ProcessOwner))}, "Only theirs.")],
    ),
    ApiRoute(
        method="GET", path=_ONE, handler=_get, scope="host", tag="processes",
        summary="One process: whether it runs, and how it ended.", result=ProcessInfo,
        query=[Query("wait", {"type": "number", "minimum": 0, "default": 0},
                     "Seconds to wait for its end, at most `max_wait_s` (60).")],
        errors=[ProcessNotFound, LimitReached],
    ),
    ApiRoute(
        method="DELETE", path=_ONE, handler=_delete, scope="host", tag="processes", status=204,
        summary="Forget one that has ended, and its output.", errors=[ProcessNotFound, ProcessRunning],
    ),
    ApiRoute(
        method="POST", path=f"{_ONE}/stop", handler=_stop, scope="host", tag="processes",
        summary="End it and all that came from it: SIGTERM, and 5 s later SIGKILL.",
        result=ProcessInfo, query=[_WAIT_MS], errors=[ProcessNotFound],
    ),
    ApiRoute(
        method="POST", path=f"{_ONE}/kill", handler=_kill, scope="host", tag="processes",
        summary="End it and all that came from it at once: SIGKILL.",
        result=ProcessInfo, query=[_WAIT_MS], errors=[ProcessNotFound],
    ),
    ApiRoute(
        method="GET", path=f"{_ONE}/logs", handler=_logs, scope="host", tag="processes",
        summary="What it has written, from a cursor: as one answer, or followed to its end.",
        result=ProcessLogsResponse,
        query=[
            Query("stream", {"type": "string", "enum": list(_STREAMS), "default": "combined"},
                  "Only this one; `pty` is that of a terminal."),
            Query("since", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ, "default": 0},
                  "Cursor: entries with a greater sequence. `Last-Event-ID` wins over it."),
            Query("tail", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}, "Only the last so many."),
            Query("follow", {"type": "boolean", "default": False}, "As `text/event-stream`, to its end."),
        ],
        streams="With `follow=true`. `event: log`, `id:` the sequence, `data:` an entry; `event: gap` where "
        "output is missing; `event: exit` with the process at its end.",
        errors=[ProcessNotFound, LimitReached],
    ),
    ApiRoute(
        method="POST", path=f"{_ONE}/input", handler=_input, scope="host", tag="processes",
        summary="Write to its stdin, or type into its terminal.",
        body=ProcessInputRequest, result=ProcessInputResponse, is_idempotent=True,
        errors=[ProcessNotFound, ProcessNotRunning, LimitReached],
    ),
    ApiRoute(
        method="POST", path=f"{_ONE}/terminal/resize", handler=_resize, scope="host", tag="processes",
        summary="Set the size of its terminal; what runs in it is told.",
        body=TerminalSize, result=TerminalSize, errors=[ProcessNotFound, ProcessNotRunning, Conflict],
    ),
]  # fmt: skip
