"""Errors as `application/problem+json` (RFC 9457) and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.errors import (
    URN_PREFIX,
    InternalError,
    InvalidRequest,
    SandboxAgentError,
    ServerUnreachable,
    error_classes,
)

__all__ = ["CONTENT_TYPE", "from_problem", "to_problem"]

CONTENT_TYPE = "application/problem+json"


def to_problem(error: SandboxAgentError) -> dict[str, Any]:
    """`{type, title, status, detail, retryable, details?}`."""
    problem: dict[str, Any] = {
        "type": URN_PREFIX + error.code,
        "title": error.title,
        "status": error.http_status,
        "detail": error.message,
        "retryable": error.retryable,
    }
    if error.details:
        problem["details"] = error.details
    return problem


def from_problem(problem: Mapping[str, Any], status: int) -> SandboxAgentError:
    """The typed error a problem document stands for; a foreign document by its status."""
    kind = str(problem.get("type", "")).removeprefix(URN_PREFIX)
    cls = error_classes().get(kind) or _by_status(status)
    details = problem.get("details")
    extra = dict(details) if isinstance(details, Mapping) else {}
    # `message` is ours; a foreign document may carry one among its details.
    extra.pop("message", None)
    detail = problem.get("detail") or problem.get("title") or f"the server answered {status}"
    return cls(str(detail), **{str(key): value for key, value in extra.items()})


def _by_status(status: int) -> type[SandboxAgentError]:
    if status in {502, 503, 504}:
        return ServerUnreachable
    for cls in error_classes().values():
        if cls.http_status == status and cls.__bases__ == (SandboxAgentError,):
            return cls
    return InvalidRequest if 400 <= status < 500 else InternalError
