"""Errors as `application/problem+json` (RFC 9457) and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.errors import (
    URN_PREFIX,
    InternalError,
    InvalidRequest,
    NotFound,
    SandboxAgentError,
    ServerUnreachable,
    error_classes,
)

__all__ = ["CONTENT_TYPE", "from_problem", "to_problem"]

CONTENT_TYPE = "application/problem+json"
_MEMBERS: Final = ("agent", "sessionId")
"""Details that are members of the document as well: some clients look for them there."""
_STANDARD: Final = frozenset(
    {"type", "title", "status", "detail", "instance", "retryable", "details"}
)


def to_problem(error: SandboxAgentError) -> dict[str, Any]:
    """`{type, title, status, detail, retryable, details?, agent?, sessionId?}`."""
    problem: dict[str, Any] = {
        "type": URN_PREFIX + error.code,
        "title": error.title,
        "status": error.http_status,
        "detail": error.message,
        "retryable": error.retryable,
    }
    details = _with_resource(error)
    if details:
        problem["details"] = details
    problem.update({name: details[name] for name in _MEMBERS if name in details})
    return problem


def _with_resource(error: SandboxAgentError) -> dict[str, Any]:
    """Of what is not there also its kind and its id, by names that are the same for all kinds."""
    details, kind = error.details, error.resource if isinstance(error, NotFound) else None
    found = details.get("id", details.get(f"{kind}Id"))
    return details if kind is None or found is None else {"resource": kind, "id": found, **details}


def from_problem(problem: Mapping[str, Any], status: int) -> SandboxAgentError:
    """The typed error a problem document stands for; a foreign document by its status."""
    kind = str(problem.get("type", "")).removeprefix(URN_PREFIX)
    cls = error_classes().get(kind) or _by_status(status)
    details = problem.get("details")
    extra = {name: value for name, value in problem.items() if name not in _STANDARD}
    extra.update(details if isinstance(details, Mapping) else {})
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
