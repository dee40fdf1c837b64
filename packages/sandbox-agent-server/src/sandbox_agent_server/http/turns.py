"""Answers to requests that begin a turn: at once, or when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import BaseModel
from sandbox_agent_core.api.prompts import PromptAccepted, PromptResult
from sandbox_agent_core.errors import (
    AgentError,
    AgentProcessExited,
    LimitReached,
    SandboxAgentError,
    SessionClosed,
    SessionNotFound,
    StorageError,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool
from sandbox_agent_server.http.route import Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.sessions.turn import Turn

__all__ = ["TURN_ERRORS", "WAIT", "Begin", "answer_with_turn"]

Begin = Callable[[Session], tuple[Turn, int, int]]
"""Begins a turn: `(turn, position, cursor before it)`."""

WAIT: Final = Query(
    "wait",
    {"type": "boolean", "default": False},
    "Answer 200 with a PromptResult when the turn has ended.",
)
TURN_ERRORS: Final[list[type[SandboxAgentError]]] = [
    SessionNotFound, SessionClosed, LimitReached, AgentError, AgentProcessExited, StorageError,
]  # fmt: skip


async def answer_with_turn(request: Request, body: BaseModel, begin: Begin) -> Response:
    """202 with a PromptAccepted, or with `wait` 200 with a PromptResult. Raises: the error of the turn."""
    wait = query_bool(request, "wait", default=False)
    services = services_of(request)

    async def work(begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            turn, position, seq = begin(session)
        begun()
        if not wait:
            emulated = turn.work.is_emulated or None
            accepted = PromptAccepted(
                turn_id=turn.id, position=position, seq=seq, emulated=emulated
            )
            return json_response(accepted, 202)
        outcome = await turn.wait()
        if outcome.error is not None:
            raise outcome.error
        return json_response(
            PromptResult(
                turn_id=turn.id,
                stop_reason=outcome.stop_reason,
                output=outcome.output,
                **outcome.use,
            )
        )

    return await services.once.answer(request, body, work)
