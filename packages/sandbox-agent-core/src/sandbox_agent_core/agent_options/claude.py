"""Options of Claude Code."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.agent_options.base import AgentOptions

__all__ = ["ClaudeOptions"]


class ClaudeOptions(AgentOptions):
    """For `agent="claude"`."""

    max_turns: int | None = Field(
        default=None,
        ge=1,
        description="Model requests of one prompt, at most; the turn then ends with an error.",
    )
    fallback_model: str | None = Field(
        default=None,
        min_length=1,
        description="The model that goes on when the session's own is overloaded.",
    )
