"""The agent's plan (its todo list)."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.wire.model import WireModel

__all__ = ["PlanEntry", "PlanUpdated"]


class PlanEntry(WireModel):
    content: str
    priority: Literal["high", "medium", "low"] = "medium"
    status: Literal["pending", "in_progress", "completed"] = "pending"


class PlanUpdated(UniversalEvent):
    """The whole plan: replaces the one before."""

    type: Literal["plan.updated"] = "plan.updated"
    entries: list[PlanEntry]
    """`{content, priority: high|medium|low, status: pending|in_progress|completed}`."""
