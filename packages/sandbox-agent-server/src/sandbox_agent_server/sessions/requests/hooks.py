"""What a hook of the session answers: to an agent that asks it, or through the permission that another asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox_agent_core.api.requests import AnswerRequest, HookAnswer
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.sessions.requests.answers import (
    Answer,
    PendingRequest,
    allow,
    deny,
    hook_answer,
)
from sandbox_agent_server.sessions.requests.details import (
    AnswerDetails,
    check_allowed,
    check_input,
    with_details,
)
from sandbox_agent_server.sessions.state import SessionState

__all__ = [
    "answered",
    "answered_through_permission",
    "check_result",
    "is_asked_through_permission",
    "is_wanted",
]


def is_wanted(request: PendingRequest, state: SessionState) -> bool:
    """The session was made with this hook."""
    wanted = state.settings.hooks
    return wanted.before_tool if request.hook == "before_tool" else wanted.after_tool


def is_asked_through_permission(request: PendingRequest, state: SessionState) -> bool:
    """The session has a hook before tools, and an agent that asks none."""
    native = AgentCapabilities.read(state.capabilities).hooks
    is_permission = request.kind == "permission"
    return is_permission and state.settings.hooks.before_tool and "before_tool" not in native


def answered(request: PendingRequest, body: AnswerRequest, state: SessionState) -> Answer:
    """To an agent that asks hooks.

    Raises:
        InvalidRequest: it does not fit the hook. InputForbidden: rules or the mode deny what it allows.
    """
    said = _said(request, body)
    if request.hook == "after_tool" and said.decision is not None:
        raise InvalidRequest("the tool has run: a hook after it says `context` alone")
    if request.hook == "before_tool" and said.context is not None:
        raise InvalidRequest("`context` is said after a tool; before it, `message` says why not")
    result = said.model_dump(by_alias=True, exclude_none=True)
    check_result(request, result, state)
    return hook_answer(request, result, "user", **compact(actor=body.actor))


def check_result(request: PendingRequest, result: Mapping[str, Any], state: SessionState) -> None:
    """No hook allows what rules or the mode deny. Raises: InputForbidden."""
    updated = result.get("updatedInput")
    if isinstance(updated, dict):
        check_input(request, updated, state)
    elif result.get("decision") == "allow":
        check_allowed(request.facts, state)


def answered_through_permission(
    request: PendingRequest, body: AnswerRequest, state: SessionState
) -> Answer | None:
    """The answer to the permission; None when the hook leaves it to the policy or a person.

    A denial holds whether its agent can be told why or not.

    Raises:
        InvalidRequest, InputForbidden: as `answered`.
        OperationNotSupported: the agent takes no other input.
    """
    said = _said(request, body)
    if said.context is not None:
        raise InvalidRequest("`context` is said after a tool; before it, `message` says why not")
    who = compact(actor=body.actor)
    if said.decision == "allow":
        answer = allow(request, "user", **who)
        details = AnswerDetails(updated_input=said.updated_input)
        answer = with_details(answer, details, state)
        if said.updated_input is not None:
            check_input(request, said.updated_input, state)
        return answer
    if said.decision == "deny":
        takes = AgentCapabilities.read(state.capabilities).permission_answers
        told = said.message if "message" in takes else None
        answer = with_details(deny(request, "user", **who), AnswerDetails(message=told), state)
        why: Mapping[str, Any] = compact(message=said.message)
        return replace(answer, annotations={**answer.annotations, **why})
    return None


def _said(request: PendingRequest, body: AnswerRequest) -> HookAnswer:
    if body.hook is None:
        raise InvalidRequest(f"{request.id!r} asks a hook: give `hook`")
    return body.hook
