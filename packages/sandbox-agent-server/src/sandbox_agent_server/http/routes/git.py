"""`/v1/git`: bring in a repository; what has changed in one."""

from __future__ import annotations

from functools import partial

from sandbox_agent_core.api.git import (
    GitCloneProgress,
    GitCloneRequest,
    GitCloneResult,
    GitDiff,
    GitStatus,
)
from sandbox_agent_core.errors import (
    GitAuthRequired,
    GitFailed,
    GitNotInstalled,
    GitRefNotFound,
    GitRepositoryNotFound,
    InvalidRequest,
    LimitReached,
    NotADirectory,
    PathExists,
    PathForbidden,
    PathNotFound,
    Timeout,
)
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox_agent_server.http.body import query_choice, query_int, read_body
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import SseResponse
from sandbox_agent_server.http.work_stream import work_stream

__all__ = ["routes"]

_MAX_CONTEXT = 1000
_MAX_PATHS = 1000
_FORMATS = ("json", "patch")


async def _clone(request: Request) -> Response | SseResponse:
    services = services_of(request)
    body = await read_body(request, GitCloneRequest, services.settings.limits)
    if "text/event-stream" not in request.headers.get("accept", ""):
        return json_response(await services.git.clone(body), 201)
    return work_stream(
        partial(services.git.clone, body),
        services.streams,
        step_of=_phase,
        heartbeat_s=services.settings.limits.heartbeat_s,
        failure="the clone failed; the log of the server says why",
    )


def _phase(progress: GitCloneProgress) -> str:
    return progress.phase


async def _status(request: Request) -> Response:
    services = services_of(request)
    return json_response(await services.git.status(_path(request), base=_base(request)))


async def _diff(request: Request) -> Response:
    services = services_of(request)
    shape = query_choice(request, "format", _FORMATS)
    paths = [path for path in request.query_params.getlist("paths") if path]
    if len(paths) > _MAX_PATHS:
        raise InvalidRequest(f"more than {_MAX_PATHS} `paths`")
    diff = await services.git.diff(
        _path(request),
        base=_base(request),
        paths=paths,
        context=query_int(request, "context", default=3, minimum=0, maximum=_MAX_CONTEXT),
        with_files=shape == "json",
    )
    if shape == "json":
        return json_response(diff)
    headers = {"X-Truncated": "true" if diff.truncated else "false"}
    return PlainTextResponse(diff.patch, media_type="text/x-diff", headers=headers)


def _path(request: Request) -> str:
    return request.query_params.get("path") or "."


def _base(request: Request) -> str:
    return request.query_params.get("base") or "HEAD"


_GIT_ERRORS = [GitFailed, GitNotInstalled, Timeout, PathForbidden, NotADirectory, PathNotFound]
_PATH = Query("path", {"type": "string", "default": "."},
              "A directory of the work tree; relative to the server's working directory.")  # fmt: skip
_BASE = Query("base", {"type": "string", "default": "HEAD"},
              "A branch, tag or commit; `merge-base`: where the branch left its upstream, or `main`.")  # fmt: skip
_READ_ERRORS = [*_GIT_ERRORS, GitRepositoryNotFound, GitRefNotFound, LimitReached]

routes = [
    ApiRoute(
        method="POST", path="/v1/git/clone", handler=_clone, scope="host", tag="git", status=201,
        summary="Clone a repository, whole or not at all. Who leaves a streamed one stops it.",
        body=GitCloneRequest, result=GitCloneResult,
        streams="`progress` any number of times, then `completed` with the result or `error` with a problem.",
        errors=[*_GIT_ERRORS, GitAuthRequired, PathExists],
        extra={"progress": GitCloneProgress},
    ),
    ApiRoute(
        method="GET", path="/v1/git/status", handler=_status, scope="host", tag="git",
        summary="Which files differ from a commit: committed since, staged, unstaged and untracked.",
        result=GitStatus, query=[_PATH, _BASE], errors=_READ_ERRORS,
    ),
    ApiRoute(
        method="GET", path="/v1/git/diff", handler=_diff, scope="host", tag="git",
        summary="The same with the patch.", result=GitDiff, gives=["text/x-diff"],
        query=[
            _PATH, _BASE,
            Query("paths", {"type": "string"}, "Only this file, or what is below this directory, relative to `path`. "
                  "Several by giving it again."),
            Query("context", {"type": "integer", "minimum": 0, "maximum": _MAX_CONTEXT, "default": 3},
                  "Unchanged lines around each change."),
            Query("format", {"type": "string", "enum": [*_FORMATS], "default": "json"},
                  "`patch`: the patch alone, as `text/x-diff`; `X-Truncated` says whether it is cut."),
        ],
        errors=_READ_ERRORS,
    ),
]  # fmt: skip
