"""Options of the mock agent."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["MockOptions"]


class MockOptions(AgentOptions):
    """For `agent="mock"`."""

    reply: str | None = Field(
        default=None, description="What it answers where it would echo the prompt."
    )
    trusted: bool | None = Field(
        default=None,
        description="It runs commands without asking, as after an `always`.",
        json_schema_extra=RISKY,
    )
