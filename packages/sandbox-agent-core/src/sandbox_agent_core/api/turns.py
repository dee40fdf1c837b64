"""A turn as it can be asked for, while it runs and afterwards."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.turn import LimitKind, StopReason, TurnOrigin
from sandbox_agent_core.events.usage import Cost

__all__ = ["LimitsRequest", "TurnInfo", "TurnList", "TurnStatus", "TurnSummary"]

TurnStatus = Literal["queued", "running", "ended"]
"""`ended`: also one that was dropped from the queue and never ran; it has no `startedAt`."""


class LimitsRequest(RequestBody):
    """Of one turn. The server stops it at the first that is reached, whoever is connected: `limit` of `turn.ended`."""

    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="From the acceptance of the prompt: the wait in the queue and for people is in it. A turn that "
        "has not begun by then is dropped.",
    )
    max_turns: int | None = Field(
        default=None,
        ge=1,
        description="Round trips to the model. After the tools of the last one it is stopped, unless the turn ends.",
    )
    max_cost: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="USD, as its agent tells it or the price table reckons it, looked at after each answer of the "
        "model: stopped is what would go on. 409 `cost_unknown` for an agent of which nobody knows it; a turn whose "
        "cost cannot be told any more is stopped.",
    )

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.timeout_seconds is self.max_turns is self.max_cost is None:
            raise ValueError("give `timeoutSeconds`, `maxTurns` or `maxCost`")
        return self


class TurnInfo(ResponseBody):
    id: str
    session_id: str
    status: TurnStatus
    origin: TurnOrigin = "prompt"
    stop_reason: StopReason | None = Field(
        default=None, description="As in `turn.ended`; null until it has ended."
    )
    error: Fault | None = Field(default=None, description="What failed.")
    limit: LimitKind | None = Field(
        default=None,
        description="Which of its limits stopped it: `timeout`, `max_turns`, `max_cost`.",
    )
    usage: TokenUsage | None = Field(
        default=None,
        description="Tokens of this turn, if the agent says; while it runs, those so far.",
    )
    model_calls: int | None = Field(
        default=None, description="Round trips to the model, of agents that tell of each."
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


class TurnSummary(ResponseBody):
    """A turn in a list: where it is, when it was, and what it was about."""

    id: str
    status: TurnStatus
    origin: TurnOrigin = "prompt"
    prompt: str = Field(
        default="", description="The beginning of it, in one line; empty when nobody prompted."
    )
    stop_reason: StopReason | None = Field(
        default=None, description="As in `turn.ended`; null until it has ended."
    )
    queued_at: str | None = Field(
        default=None, description="RFC 3339, UTC; null when it did not wait."
    )
    started_at: str | None = None
    ended_at: str | None = None
    seq: int = Field(
        description="Of its `turn.started`; of one that has not begun, of its `turn.queued`."
    )


class TurnList(ResponseBody):
    turns: list[TurnSummary] = Field(description="Oldest first.")
    next_cursor: int | None = Field(
        default=None,
        description="Pass as `after` for the turns behind these; null: there are none.",
    )
    previous_cursor: int | None = Field(
        default=None,
        description="Pass as `before` for those in front of these; null: there are none.",
    )
