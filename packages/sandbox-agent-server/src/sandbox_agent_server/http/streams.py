"""How many streams are open, and what every stream is told at its start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox_agent_core.api.events import EventView
from sandbox_agent_core.errors import InvalidRequest, LimitReached
from starlette.requests import HTTPConnection

from sandbox_agent_server.http.body import query_bool, query_choice, query_int

__all__ = ["MAX_SEQ", "StreamCounter", "StreamQuery", "read_stream_query"]

MAX_SEQ = (1 << 40) - 1


class StreamCounter:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.open = 0

    def check(self) -> None:
        """Raises: LimitReached."""
        if self.open >= self._limit:
            raise LimitReached(
                f"{self.open} event streams are open; close some, or share one",
                limit="max_subscribers",
                value=self._limit,
            )

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@dataclass(frozen=True, slots=True)
class StreamQuery:
    after: int
    view: EventView
    deltas: bool


def read_stream_query(request: HTTPConnection) -> StreamQuery:
    """`after` (or `Last-Event-ID`, which a reconnecting browser sends), `view` and `deltas`.

    Raises:
        InvalidRequest: a value is not what it should be.
    """
    after = query_int(request, "after", default=0, minimum=0, maximum=MAX_SEQ)
    last_id = request.headers.get("last-event-id")
    if last_id:
        if not (last_id.isascii() and last_id.isdigit()) or int(last_id) > MAX_SEQ:
            raise InvalidRequest(f"`Last-Event-ID` must be a seq, not {last_id[:64]!r}")
        after = int(last_id)
    view = query_choice(request, "view", ("universal", "frames"))
    return StreamQuery(
        after,
        "frames" if view == "frames" else "universal",
        query_bool(request, "deltas", default=True),
    )
