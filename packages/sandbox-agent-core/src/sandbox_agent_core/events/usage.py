"""What the session has used so far."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.wire.model import WireModel

__all__ = ["Cost", "TurnUse", "UsageUpdated"]


class Cost(WireModel):
    amount: float
    currency: str = "USD"
    estimated: bool = False
    """Computed here, from the tokens and a table of prices, because the agent tells none."""


class TurnUse(WireModel):
    """What a turn has used so far."""

    model_calls: int = 0
    """Round trips to the model; those of sub-agents are not in it."""
    usage: TokenUsage | None = None
    """Tokens, those of sub-agents included."""
    cost: Cost | None = None
    """Absent: nobody knows the price of one of its models."""


class UsageUpdated(UniversalEvent):
    """The state of the context window and the cost so far; what the running turn has used until now, in `turn`."""

    type: Literal["usage.updated"] = "usage.updated"
    context_used: int | None = None
    """Tokens in the context window now."""
    context_size: int | None = None
    """Tokens that the window holds."""
    cost: Cost | None = None
    """`{amount, currency}` of the session so far, if the agent says."""
    model: str | None = None
    """The model that was used, if the agent says."""
    turn: TurnUse | None = None
    """`{modelCalls, usage?, cost?}` of the running turn so far, after each answer of the model, of agents that tell."""
