"""`/v1/sessions`: make, list, look, change, end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import get_args

from sandbox_agent_core.api.sessions import (
    CreateSession,
    PatchSession,
    ResumeSession,
    SessionInfo,
    SessionList,
    SessionStatus,
)
from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentNotInstalled,
    AgentOptionForbidden,
    AgentOptionsInvalid,
    AgentStartFailed,
    Conflict,
    LimitReached,
    ModeNotSupported,
    SessionAlreadyExists,
    SessionClosed,
    SessionNotFound,
    StorageError,
    UnsupportedAgent,
    ValueNotSupported,
    WorkspaceNotTrusted,
)
from sandbox_agent_core.view import Transcript
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool, query_int, query_list, read_body
from sandbox_agent_server.http.callers import caller_of, check_settings
from sandbox_agent_server.http.large_answer import LargeAnswer, page_of
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.transcript import transcript_body
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.listing import SessionFilter
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["routes"]

_LIST_LIMIT = 100
_METADATA = "metadata."


def _manager(request: Request) -> tuple[SessionManager, str]:
    return services_of(request).sessions, request.path_params.get("session_id", "")


async def _create(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, CreateSession, services.settings.limits)
    check_settings(caller_of(request), body)

    async def create(_begun: Callable[[], None]) -> Response:
        return json_response(await services.sessions.create(body), 201)

    return await services.once.answer(request, body, create)


async def _list(request: Request) -> LargeAnswer:
    services = services_of(request)
    limit = query_int(request, "limit", default=_LIST_LIMIT, minimum=1, maximum=1000)
    cursor = request.query_params.get("cursor")
    wanted = _filter(request)
    return page_of(
        partial(services.sessions.reader.list, cursor=cursor, limit=limit, wanted=wanted),
        services.answers,
        max_bytes=services.settings.limits.max_page_bytes,
    )


def _filter(request: Request) -> SessionFilter:
    """Raises: InvalidRequest."""
    parameters = request.query_params
    return SessionFilter(
        agents=query_list(request, "agent"),
        statuses=query_list(request, "status", get_args(SessionStatus)),
        title=parameters.get("title") or None,
        words=frozenset(parameters.get("q", "").casefold().split()),
        metadata={
            name.removeprefix(_METADATA): value
            for name, value in parameters.items()
            if name.startswith(_METADATA)
        },
    )


async def _get(request: Request) -> Response:
    sessions, session_id = _manager(request)
    return json_response(sessions.reader.info(session_id))


async def _patch(request: Request) -> Response:
    sessions, session_id = _manager(request)
    with sessions.session(session_id) as session:
        body = await read_body(request, PatchSession, services_of(request).settings.limits)
        check_settings(caller_of(request), body)
        await session.patch(body)
        return json_response(session.info())


async def _end(request: Request) -> Response:
    sessions, session_id = _manager(request)
    is_purge = query_bool(request, "purge", default=False)
    if is_purge:
        caller_of(request).require("admin", to="delete a log")
    end = sessions.purge if is_purge else sessions.end
    # A client that stops waiting must not leave half of it undone.
    await asyncio.shield(end(session_id))
    return Response(status_code=204)


async def _resume(request: Request) -> Response:
    sessions, session_id = _manager(request)
    body = await read_body(request, ResumeSession, services_of(request).settings.limits)
    check_settings(caller_of(request), body)
    tools = None if body.tools is None else tuple(body.tools.tools)
    secrets = SessionSecrets(env=body.env, mcp_servers=body.mcp_servers, host_tools=tools)
    client = None if body.tools is None else body.tools.client
    return json_response(await sessions.resume(session_id, secrets, tools_client=client))


async def _transcript(request: Request) -> LargeAnswer:
    services = services_of(request)
    sessions, session_id = _manager(request)
    log = sessions.reader.log(session_id)
    return LargeAnswer(
        partial(transcript_body, log, services.settings.data_dir),
        services.answers,
        max_bytes=log.file.size_bytes,
    )


_START_ERRORS = [
    AgentNotInstalled, AgentAuthRequired, AgentStartFailed, ModeNotSupported, ValueNotSupported,
    LimitReached, StorageError, WorkspaceNotTrusted,
]  # fmt: skip

routes = [
    ApiRoute(
        method="POST", path="/v1/sessions", handler=_create, scope="prompt", tag="sessions", status=201,
        summary="Make a session and start its agent.", body=CreateSession, result=SessionInfo,
        is_idempotent=True,
        errors=[
            UnsupportedAgent, SessionAlreadyExists, AgentOptionsInvalid, AgentOptionForbidden, *_START_ERRORS,
        ],
    ),
    ApiRoute(
        method="GET", path="/v1/sessions", handler=_list, scope="read", tag="sessions",
        summary="All sessions, or some, newest first.", result=SessionList,
        query=[
            Query("agent", {"type": "string"}, "Only of this agent; several with commas, or by giving it again."),
            Query("status", {"type": "string", "enum": [*get_args(SessionStatus)]}, "Only of this status; several as agents."),
            Query("title", {"type": "string"}, "Only with this in the title, whatever the case."),
            Query("q", {"type": "string"},
                  "Only with each of these words in the title, the first or the last prompt, the id, the agent, the working "
                  "directory or the metadata (as `key:value`), whatever the case."),
            Query("metadata.KEY", {"type": "string"},
                  "Only with this in `metadata`: a text as it is, anything else as JSON. Several: all of them."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": _LIST_LIMIT},
                  "Sessions in this page; of those asked for it may have fewer, and not be the last."),
            Query("cursor", {"type": "string"}, "`nextCursor` of the page before."),
        ],
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}", handler=_get, scope="read", tag="sessions",
        summary="One session.", result=SessionInfo, errors=[SessionNotFound],
    ),
    ApiRoute(
        method="PATCH", path="/v1/sessions/{session_id}", handler=_patch, scope="prompt", tag="sessions",
        summary="Switch mode, model, thought level or options; replace policy, metadata or title.",
        body=PatchSession, result=SessionInfo,
        errors=[SessionNotFound, SessionClosed, ModeNotSupported, ValueNotSupported],
    ),
    ApiRoute(
        method="DELETE", path="/v1/sessions/{session_id}", handler=_end, scope="prompt", tag="sessions", status=204,
        summary="End the session: stop its agent and the whole process tree. The log stays readable.",
        query=[Query("purge", {"type": "boolean", "default": False},
                     "Also remove the log and everything else that is kept of the session.")],
        errors=[SessionNotFound, StorageError],
    ),
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/resume", handler=_resume, scope="prompt", tag="sessions",
        summary="Start the agent of a dormant or ended session again, or an idle one with new keys.",
        body=ResumeSession, result=SessionInfo, errors=[SessionNotFound, Conflict, *_START_ERRORS],
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/transcript", handler=_transcript, scope="read", tag="events",
        summary="The session folded into turns, messages and tool calls.", result=Transcript, errors=[SessionNotFound],
    ),
]  # fmt: skip
