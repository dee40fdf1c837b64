"""A turn as it can be asked for, while it runs and afterwards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.api.base import ResponseBody
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.turn import StopReason, TokenUsage, TurnOrigin
from sandbox_agent_core.events.usage import Cost

__all__ = ["TurnInfo", "TurnStatus"]

TurnStatus = Literal["queued", "running", "ended"]
"""`ended`: also one that was dropped from the queue and never ran; it has no `startedAt`."""


class TurnInfo(ResponseBody):
    id: str
    session_id: str
    status: TurnStatus
    origin: TurnOrigin = "prompt"
    stop_reason: StopReason | None = Field(
        default=None, description="As in `turn.ended`; null until it has ended."
    )
    error: Fault | None = Field(default=None, description="What failed.")
    usage: TokenUsage | None = Field(
        default=None, description="Tokens of this turn, if the agent says."
    )
    cost: Cost | None = Field(
        default=None,
        description="Of this turn, if the agent says or the price of its model is known.",
    )
    output: Any = Field(default=None, description="As in `turn.ended`.")
    queued_at: str | None = Field(
        default=None, description="RFC 3339, UTC; null when it did not wait."
    )
    started_at: str | None = None
    ended_at: str | None = None
    seq: int = Field(
        description="Cursor before the turn: read events after it to see all of the turn."
    )
