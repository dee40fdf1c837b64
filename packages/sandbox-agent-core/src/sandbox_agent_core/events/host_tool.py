"""Functions of a client that the agent calls, and what came of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.request import DecidedBy

__all__ = ["HostToolCalled", "HostToolResolved"]


class HostToolCalled(UniversalEvent):
    """The agent called a function of a client, and waits for it. Exactly one `host_tool.resolved` follows."""

    type: Literal["host_tool.called"] = "host_tool.called"
    request_id: str
    """The call, to answer it by."""
    tool: str
    """Its name."""
    input: dict[str, Any] = Field(default_factory=dict)
    """The arguments."""
    client: str | None = None
    """Whose function it is: who is to answer."""
    asked_at: datetime | None = None
    """When the agent called it."""
    expires_at: datetime | None = None
    """When the agent is told that nobody answered, if nobody does."""
    default: str | None = None
    """`error`."""


class HostToolResolved(UniversalEvent):
    """The agent has been told what came of it."""

    type: Literal["host_tool.resolved"] = "host_tool.resolved"
    request_id: str
    """The call."""
    outcome: Literal["returned", "failed", "cancelled"]
    """`failed`: the function raised, a rule denied it, or no client answered; `cancelled`: nobody wants it any more."""
    content: list[dict[str, Any]] = Field(default_factory=list)
    """What the agent was told: MCP content."""
    decided_by: DecidedBy | None = None
    """`user` (the client), `policy`, `timeout` or `cancel`."""
    rule: str | None = None
    """The rule of the policy that denied it."""
