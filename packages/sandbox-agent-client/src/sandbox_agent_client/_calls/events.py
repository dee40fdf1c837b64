"""`/v1/sessions/{id}/events`, `/ws` and `/transcript`, and `/v1/events`: reading logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sandbox_agent_core.api.events import EventPage, FeedPage
from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.surrogates import mended
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._calls.call import Call, Query, joined, path, query, reads

__all__ = [
    "BEHIND_ALL",
    "AnySource",
    "EventSource",
    "Position",
    "all_events",
    "session_events",
    "transcript",
]

BEHIND_ALL: Final = (1 << 40) - 1
"""No log has a seq as great: `before` it is the end. A greater one is refused."""


Page = TypeVar("Page", EventPage, FeedPage)
Position = int | str | None
"""After which entry: its seq, or a cursor of all sessions; None for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource(Generic[Page]):
    """A log that is followed, as a stream, over a WebSocket, or page by page."""

    name: str
    """For messages: `session ses_1`."""
    path: str
    """Of its stream and of its pages."""
    websocket_path: str
    parameters: Query
    page_type: type[Page]

    def query(self, after: Position) -> Query:
        return self.parameters if after is None else {**self.parameters, "after": after}

    def page(self, after: Position, *, limit: int, before: int | None = None) -> Call[Page]:
        """What is there now. With `before`, of a session: the last in front of that seq."""
        return Call(
            method="GET",
            path=self.path,
            query={**self.query(after), **query(before=before, limit=limit)},
            parse=reads(self.page_type, verbatim=True),
        )


def session_events(session_id: str, *, deltas: bool = True) -> EventSource[EventPage]:
    """The frame view of a session's log."""
    return EventSource(
        name=f"session {session_id}",
        path=path("sessions", session_id, "events"),
        websocket_path=path("sessions", session_id, "ws"),
        parameters=query(view="frames", deltas=None if deltas else False),
        page_type=EventPage,
    )


def all_events(
    *,
    agent: str | Sequence[str] | None = None,
    types: str | Sequence[str] | None = None,
    deltas: bool = True,
    deltas_of: str | Sequence[str] | None = None,
) -> EventSource[FeedPage]:
    """The frame view of all sessions."""
    return EventSource(
        name="all sessions",
        path=path("events"),
        websocket_path=path("events"),
        parameters=query(
            view="frames",
            deltas=None if deltas else False,
            deltasOf=joined(deltas_of),
            agent=joined(agent),
            types=joined(types),
        ),
        page_type=FeedPage,
    )


AnySource = EventSource[EventPage] | EventSource[FeedPage]


def transcript(session_id: str) -> Call[Transcript]:
    return Call(method="GET", path=path("sessions", session_id, "transcript"), parse=_transcript)


def _transcript(document: Any) -> Transcript:
    try:
        return Transcript.model_validate(mended(document))
    except ValueError as exc:
        raise InternalError("The server's answer is not a transcript.") from exc
