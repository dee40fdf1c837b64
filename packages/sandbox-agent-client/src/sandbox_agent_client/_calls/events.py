"""`/v1/sessions/{id}/events`, `/ws` and `/transcript`: reading the log."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.api.events import EventPage
from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.surrogates import mended
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._calls.call import Call, Query, path, query, reads

__all__ = ["page", "stream_path", "stream_query", "transcript", "websocket_path"]


def page(session_id: str, *, after: int, limit: int, deltas: bool = True) -> Call[EventPage]:
    """A page of the frame view."""
    return Call(
        method="GET",
        path=stream_path(session_id),
        query=query(after=after, limit=limit, view="frames", deltas=deltas),
        parse=reads(EventPage, verbatim=True),
    )


def stream_path(session_id: str) -> str:
    return path("sessions", session_id, "events")


def websocket_path(session_id: str) -> str:
    return path("sessions", session_id, "ws")


def stream_query(after: int) -> Query:
    return query(after=after, view="frames")


def transcript(session_id: str) -> Call[Transcript]:
    return Call(method="GET", path=path("sessions", session_id, "transcript"), parse=_transcript)


def _transcript(document: Any) -> Transcript:
    try:
        return Transcript.model_validate(mended(document))
    except ValueError as exc:
        raise InternalError("The server's answer is not a transcript.") from exc
