"""Bodies of `/v1/sessions/{id}/events` and `/v1/events`, and of their WebSockets."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.api.base import ResponseBody

__all__ = ["EventPage", "EventView", "FeedPage"]

EventView = Literal["universal", "frames"]


class EventPage(ResponseBody):
    events: list[dict[str, Any]] = Field(description="In the view asked for, in order of `seq`.")
    next_cursor: int = Field(description="Pass as `after` for the next page.")
    has_more: bool = Field(description="There are entries behind `nextCursor`.")
    previous_cursor: int | None = Field(
        default=None,
        description="Of a page that was asked for with `before`: pass it as `before` for the page in front of this "
        "one; null when this one begins with the first entry, or behind `after`.",
    )


class FeedPage(ResponseBody):
    """Of all sessions."""

    events: list[dict[str, Any]] = Field(
        description="In the view asked for; of each session in order of `seq`."
    )
    next_cursor: str = Field(description="Pass as `after` for the next page. Opaque.")
    has_more: bool
