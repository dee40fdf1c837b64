"""`/v1/git`, and what turns have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from sandbox_agent_core.api.git import (
    GitCloneProgress,
    GitCloneRequest,
    GitCloneResult,
    GitCredentials,
    GitDiff,
    GitStatus,
    SessionDiff,
)
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.wire.problem import from_problem
from sandbox_agent_core.wire.sse import SseEvent

from sandbox_agent_client._calls.call import Call, body, built, path, query, reads
from sandbox_agent_client._failures import read_json

__all__ = ["Credentials", "clone", "diff", "read_clone_event", "session_diff", "status"]

Credentials = GitCredentials | Mapping[str, str] | str
"""`{"token": …}` or `{"username": …, "password": …}`; a text is a token."""

WAITS_S = 60.0
"""What a server gives git."""
_result = reads(GitCloneResult)
_progress = reads(GitCloneProgress)


def clone(url: str, *, credentials: Credentials | None, **given: Any) -> Call[GitCloneResult]:
    """Raises: InvalidRequest."""
    request = built(GitCloneRequest, url=url, **given)
    document = body(request)
    if credentials is not None:
        document["credentials"] = _revealed(credentials)
    return Call(
        method="POST",
        path=path("git", "clone"),
        body=document,
        parse=_result,
        has_deadline=False,
    )


def _revealed(credentials: Credentials) -> dict[str, str]:
    """As they are sent. Raises: InvalidRequest."""
    if isinstance(credentials, str):
        credentials = {"token": credentials}
    checked = (
        credentials
        if isinstance(credentials, GitCredentials)
        else built(GitCredentials, **credentials)
    )
    shown = {"username": checked.username}
    for name, secret in (("password", checked.password), ("token", checked.token)):
        shown[name] = secret.get_secret_value() if secret is not None else None
    return {name: value for name, value in shown.items() if value is not None}


def status(place: str | PathLike[str], *, base: str) -> Call[GitStatus]:
    return Call(
        method="GET",
        path=path("git", "status"),
        query=query(path=fspath(place), base=base),
        parse=reads(GitStatus),
        waits_s=WAITS_S,
    )


def diff(
    place: str | PathLike[str], *, base: str, paths: Sequence[str | PathLike[str]], context: int
) -> Call[GitDiff]:
    asked = query(path=fspath(place), base=base, context=context)
    narrowed = [fspath(one) for one in paths]
    return Call(
        method="GET",
        path=path("git", "diff"),
        query={**asked, "paths": narrowed} if narrowed else asked,
        parse=reads(GitDiff),
        waits_s=WAITS_S,
    )


def session_diff(session_id: str, turn_id: str | None) -> Call[SessionDiff]:
    return Call(
        method="GET",
        path=path("sessions", session_id, "diff"),
        query=query(turn=turn_id),
        parse=reads(SessionDiff),
        waits_s=WAITS_S,
    )


def read_clone_event(event: SseEvent) -> GitCloneProgress | GitCloneResult | None:
    """None for an event that a newer server sends.

    Raises:
        SandboxAgentError: the clone failed.
    """
    if event.event not in ("progress", "completed", "error"):
        return None
    document = read_json(event.data, "An event of the clone")
    if event.event == "progress":
        return _progress(document)
    if event.event == "completed":
        return _result(document)
    raise from_problem(as_dict(document), 500)
