"""`/v1/sessions/{id}/tools`: functions of a client that the agent can call, and what came of the calls."""

from __future__ import annotations

from sandbox_agent_core.api.host_tools import (
    HostToolAnswer,
    HostToolList,
    HostToolState,
    RegisterHostTools,
)
from sandbox_agent_core.errors import (
    AgentError,
    AgentStartFailed,
    Conflict,
    LimitReached,
    OperationNotSupported,
    RequestAlreadyResolved,
    RequestNotFound,
    SessionNotFound,
    StorageError,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of

__all__ = ["routes"]


async def _register(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, RegisterHostTools, services.settings.limits)
    # What a function of theirs is asked for, no person is asked for.
    caller_of(request).require("answer", to="register tools")
    info = await services.sessions.register_tools(request.path_params["session_id"], body)
    return json_response(HostToolList(tools=info.tools))


async def _answer(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, HostToolAnswer, services.settings.limits)
    with services.sessions.session(request.path_params["session_id"]) as session:
        lease_s = session.host_tools.answer(request.path_params["request_id"], body)
    return json_response(HostToolState(lease_s=lease_s))


routes = [
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/tools", handler=_register, scope="prompt", tag="tools",
        summary="Register functions of the client as tools of the agent, in place of those of before. An agent that runs "
        "starts again for it.",
        body=RegisterHostTools, result=HostToolList,
        errors=[SessionNotFound, Conflict, OperationNotSupported, AgentStartFailed, AgentError, LimitReached, StorageError],
    ),
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/tools/{request_id}", handler=_answer, scope="prompt", tag="tools",
        summary="Take a call, say that it is still being worked on, or answer it.",
        body=HostToolAnswer, result=HostToolState,
        errors=[SessionNotFound, RequestNotFound, RequestAlreadyResolved, Conflict, StorageError],
    ),
]  # fmt: skip
