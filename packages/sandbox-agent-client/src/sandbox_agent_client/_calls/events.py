"""`/v1/sessions/{id}/events`, `/ws` and `/transcript`: reading the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.api.events import EventPage
from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.surrogates import mended
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._calls.call import Call, Query, path, query, reads

__all__ = ["EventSource", "session_events", "transcript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """A log that is followed, as a stream, over a WebSocket, or page by page."""

    name: str
    """For messages: `session ses_1`."""
    path: str
    """Of its stream and of its pages."""
    websocket_path: str
    parameters: Query

    def query(self, after: int) -> Query:
        return {**self.parameters, "after": after}

    def page(self, after: int, *, limit: int) -> Call[EventPage]:
        """What is there now."""
        return Call(
            method="GET",
            path=self.path,
            query={**self.query(after), "limit": limit},
            parse=reads(EventPage, verbatim=True),
        )


def session_events(session_id: str, *, deltas: bool = True) -> EventSource:
    """The frame view of a session's log."""
    return EventSource(
        name=f"session {session_id}",
        path=path("sessions", session_id, "events"),
        websocket_path=path("sessions", session_id, "ws"),
        parameters=query(view="frames", deltas=None if deltas else False),
    )


def transcript(session_id: str) -> Call[Transcript]:
    return Call(method="GET", path=path("sessions", session_id, "transcript"), parse=_transcript)


def _transcript(document: Any) -> Transcript:
    try:
        return Transcript.model_validate(mended(document))
    except ValueError as exc:
        raise InternalError("The server's answer is not a transcript.") from exc
