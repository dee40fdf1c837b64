"""What an agent has in mind, when that is made shorter."""

from __future__ import annotations

from typing import Literal

from sandbox_agent_core.events.envelope import UniversalEvent

__all__ = ["CompactionTrigger", "ContextCompacted"]

CompactionTrigger = Literal["manual", "auto"]


class ContextCompacted(UniversalEvent):
    """The agent has put a summary in place of the conversation so far. The log keeps all of it."""

    type: Literal["context.compacted"] = "context.compacted"
    trigger: CompactionTrigger = "auto"
    """`manual`: it was asked to. `auto`: its context window was full."""
    pre_tokens: int | None = None
    """Tokens in its context before, if it says."""
    post_tokens: int | None = None
    """Tokens in its context afterwards, if it says."""
    summary: str | None = None
    """What it goes on with, if it says."""
