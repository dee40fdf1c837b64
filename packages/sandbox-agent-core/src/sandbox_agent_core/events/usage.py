"""What the session has used so far."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.wire.model import WireModel

__all__ = ["Cost", "UsageUpdated"]


class Cost(WireModel):
    amount: float
    currency: str = "USD"
    estimated: bool = False
    """Computed here, from the tokens and a table of prices, because the agent tells none."""


class UsageUpdated(UniversalEvent):
    """The state of the context window and the cost so far. Tokens of a turn are in its `turn.ended`."""

    type: Literal["usage.updated"] = "usage.updated"
    context_used: int | None = None
    """Tokens in the context window now."""
    context_size: int | None = None
    """Tokens that the window holds."""
    cost: Cost | None = None
    """`{amount, currency}` of the session so far, if the agent says."""
    model: str | None = None
    """The model that was used, if the agent says."""
