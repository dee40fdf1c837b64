"""`/v1/sessions/{id}/…`: what a session can be asked beside prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.api.long_work import (
    CompactRequest,
    ForkSession,
    NativeRequest,
    NativeResult,
    ReviewRequest,
    ReviewTarget,
    RewindRequest,
    RewindResult,
    SteerRequest,
    SteerResult,
)
from sandbox_agent_core.api.prompts import PromptAccepted
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.content import Prompt, parse_prompt

from sandbox_agent_client._calls.call import Call, body, built, path, reads

__all__ = ["compact", "fork", "native", "request", "review", "rewind", "steer", "target_of"]


def steer(session_id: str, prompt: Prompt) -> Call[SteerResult]:
    """Raises: InvalidRequest."""
    blocks: list[Mapping[str, Any]] = [block.to_wire() for block in parse_prompt(prompt)]
    return Call(
        method="POST",
        path=path("sessions", session_id, "steer"),
        body=body(built(SteerRequest, content=blocks)),
        parse=reads(SteerResult),
        # An agent takes it when it comes to it.
        has_deadline=False,
        is_once=True,
    )


def compact(session_id: str, instructions: str | None) -> Call[PromptAccepted]:
    """Raises: InvalidRequest."""
    return _begin(session_id, "compact", built(CompactRequest, instructions=instructions))


def review(session_id: str, target: ReviewTarget) -> Call[PromptAccepted]:
    return _begin(session_id, "review", ReviewRequest(target=target))


def target_of(*, branch: str | None, commit: str | None, instructions: str | None) -> ReviewTarget:
    """What is to be reviewed; without any of them the uncommitted changes. Raises: InvalidRequest."""
    given = {"branch": branch, "sha": commit, "instructions": instructions}
    types = {"branch": "branch", "sha": "commit", "instructions": "custom"}
    wanted = [types[name] for name, value in given.items() if value is not None]
    return built(ReviewTarget, type=wanted[0] if wanted else "uncommitted", **given)


def fork(session_id: str, **members: Any) -> Call[SessionInfo]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "fork"),
        body=body(built(ForkSession, **members)),
        parse=reads(SessionInfo),
        has_deadline=False,
        is_once=True,
    )


def rewind(session_id: str, **members: Any) -> Call[RewindResult]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "rewind"),
        body=body(built(RewindRequest, **members)),
        parse=reads(RewindResult),
        has_deadline=False,
        is_once=True,
    )


def native(session_id: str, method: str, params: Mapping[str, Any] | None) -> Call[NativeResult]:
    """Raises: InvalidRequest."""
    return _asked(session_id, "native", method, params)


def request(session_id: str, method: str, params: Mapping[str, Any] | None) -> Call[NativeResult]:
    """Raises: InvalidRequest."""
    return _asked(session_id, "request", method, params)


def _asked(
    session_id: str, how: str, method: str, params: Mapping[str, Any] | None
) -> Call[NativeResult]:
    return Call(
        method="POST",
        path=path("sessions", session_id, how),
        body=body(
            built(NativeRequest, method=method, params=None if params is None else dict(params))
        ),
        parse=reads(NativeResult),
        has_deadline=False,
        is_once=True,
    )


def _begin(
    session_id: str, operation: str, request: CompactRequest | ReviewRequest
) -> Call[PromptAccepted]:
    return Call(
        method="POST",
        path=path("sessions", session_id, operation),
        body=body(request),
        parse=reads(PromptAccepted),
        has_deadline=False,
        is_once=True,
    )
