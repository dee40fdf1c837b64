"""The MCP servers of a session, as far as its agent tells."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.events.envelope import UniversalEvent

__all__ = ["McpServerStatus", "McpStatus"]

McpServerStatus = Literal["pending", "slow", "connected", "needs-auth", "failed", "disabled"]
"""`pending`: it starts. `slow`: it has been starting for long, and prompts may wait for it."""


class McpStatus(UniversalEvent):
    """An MCP server is there, is not, or is not yet: sent when that changes."""

    type: Literal["mcp.status"] = "mcp.status"
    server: str
    """Its name."""
    status: McpServerStatus
    """`pending`, `slow` (prompts may wait for it), `connected`, `needs-auth`, `failed` or `disabled`."""
    error: str | None = None
    """Why it does not work, in the words of the agent."""
    tools: int | None = None
    """How many it offers, if the agent tells."""
