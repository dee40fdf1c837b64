"""`/v1/sessions/{id}/…`: what a session can be asked beside prompts."""

from __future__ import annotations

from collections.abc import Callable

from sandbox_agent_core.api.long_work import (
    CompactRequest,
    ForkSession,
    NativeRequest,
    NativeResult,
    ReviewRequest,
    RewindRequest,
    RewindResult,
    SteerRequest,
    SteerResult,
)
from sandbox_agent_core.api.prompts import PromptAccepted, PromptResult
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    AgentNotInstalled,
    AgentStartFailed,
    Conflict,
    LimitReached,
    OperationNotSupported,
    PayloadTooLarge,
    SessionAlreadyExists,
    SessionClosed,
    SessionNotFound,
    StorageError,
    Timeout,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.callers import caller_of, check_settings
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.turns import TURN_ERRORS, WAIT, answer_with_turn

__all__ = ["routes"]


async def _steer(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, SteerRequest, services.settings.limits)

    async def steer(begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            session.check_steer(body.blocks())
            begun()
            steered = await session.steer(body.blocks())
        return json_response(
            SteerResult(
                how=steered.how,
                turn_id=steered.turn_id,
                position=steered.position,
                seq=steered.seq,
            )
        )

    return await services.once.answer(request, body, steer)


async def _compact(request: Request) -> Response:
    body = await read_body(request, CompactRequest, services_of(request).settings.limits)
    return await answer_with_turn(request, body, lambda session: session.compact(body.instructions))


async def _review(request: Request) -> Response:
    body = await read_body(request, ReviewRequest, services_of(request).settings.limits)
    return await answer_with_turn(request, body, lambda session: session.review(body.target))


async def _fork(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, ForkSession, services.settings.limits)
    check_settings(caller_of(request), body)

    async def fork(_begun: Callable[[], None]) -> Response:
        forked = await services.sessions.fork(request.path_params["session_id"], body)
        return json_response(forked, 201)

    return await services.once.answer(request, body, fork)


async def _rewind(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, RewindRequest, services.settings.limits)

    async def rewind(_begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            return json_response(await session.rewind(body))

    return await services.once.answer(request, body, rewind)


async def _native(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, NativeRequest, services.settings.limits)

    async def native(begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            begun()
            result = await session.native(body.method, body.params)
        return json_response({"result": result})

    return await services.once.answer(request, body, native)


async def _request(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, NativeRequest, services.settings.limits)

    async def ask(begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            begun()
            result = await session.request(body.method, body.params)
        return json_response({"result": result})

    return await services.once.answer(request, body, ask)


_START_ERRORS = [
    AgentNotInstalled, AgentAuthRequired, AgentStartFailed, AgentError, LimitReached, StorageError,
]  # fmt: skip
_SESSION = "/v1/sessions/{session_id}"

routes = [
    ApiRoute(
        method="POST", path=f"{_SESSION}/steer", handler=_steer, scope="prompt", tag="turns",
        summary="Say something into the running turn. What the agent does not take becomes a prompt.",
        body=SteerRequest, result=SteerResult, is_idempotent=True,
        errors=[SessionNotFound, SessionClosed, LimitReached, StorageError],
    ),
    ApiRoute(
        method="POST", path=f"{_SESSION}/compact", handler=_compact, scope="prompt", tag="turns", status=202,
        summary="A turn in which the agent puts a summary in place of the conversation so far.",
        body=CompactRequest, result=PromptAccepted, is_idempotent=True, query=[WAIT],
        errors=[OperationNotSupported, *TURN_ERRORS], extra={"wait": PromptResult},
    ),
    ApiRoute(
        method="POST", path=f"{_SESSION}/review", handler=_review, scope="prompt", tag="turns", status=202,
        summary="A turn in which the agent reviews changes. One that has no review is asked for it in words.",
        body=ReviewRequest, result=PromptAccepted, is_idempotent=True, query=[WAIT],
        errors=TURN_ERRORS, extra={"wait": PromptResult},
    ),
    ApiRoute(
        method="POST", path=f"{_SESSION}/fork", handler=_fork, scope="prompt", tag="sessions", status=201,
        summary="Another session that begins with what was in this one.",
        body=ForkSession, result=SessionInfo, is_idempotent=True,
        errors=[SessionNotFound, SessionAlreadyExists, *_START_ERRORS],
    ),
    ApiRoute(
        method="POST", path=f"{_SESSION}/rewind", handler=_rewind, scope="prompt", tag="sessions",
        summary="Go back to before a turn: in the conversation, in the files, or both.",
        body=RewindRequest, result=RewindResult, is_idempotent=True,
        errors=[SessionNotFound, SessionClosed, Conflict, OperationNotSupported, *_START_ERRORS],
    ),
    # It passes by the policy, the permissions and all that the server keeps track of: so it takes the same scope
    # as making tokens.
    ApiRoute(
        method="POST", path=f"{_SESSION}/native", handler=_native, scope="admin", tag="sessions",
        summary="A request of the agent's own protocol, as it is. Nothing of this server decides about it.",
        body=NativeRequest, result=NativeResult, is_idempotent=True,
        errors=[SessionNotFound, SessionClosed, OperationNotSupported, Timeout, PayloadTooLarge, *_START_ERRORS],
    ),
    ApiRoute(
        method="POST", path=f"{_SESSION}/request", handler=_request, scope="admin", tag="sessions",
        summary="A request of ACP, or of the agent's own protocol, that the API has no call for. Of an ACP agent it gets the "
        "agent's id of the session.",
        body=NativeRequest, result=NativeResult, is_idempotent=True,
        errors=[SessionNotFound, SessionClosed, OperationNotSupported, Timeout, PayloadTooLarge, *_START_ERRORS],
    ),
]  # fmt: skip
