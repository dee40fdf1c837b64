"""Options of GitHub Copilot CLI."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["CopilotOptions"]


class CopilotOptions(AgentOptions):
    """For `agent="copilot"`."""

    model: str | None = Field(
        default=None,
        min_length=1,
        description="Its model, also one that it does not list, such as that of a provider of yours.",
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        Field(default=None, description="How much its model thinks, for models that can be told.")
    )
    context: Literal["default", "long_context"] | None = Field(
        default=None, description="The tier of the context window."
    )
    agent: str | None = Field(
        default=None, min_length=1, description="A custom agent of its user's, by name."
    )
    available_tools: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Its model is offered these tools only."
    )
    excluded_tools: tuple[str, ...] | None = Field(
        default=None, description="Tools that its model is not offered."
    )
    denied_tools: tuple[str, ...] | None = Field(
        default=None,
        description="Tools that it refuses without asking, in its own notation: `shell(git push)`, `write`.",
    )
    allowed_tools: tuple[str, ...] | None = Field(
        default=None,
        description="Tools that it runs without asking, so that no policy sees them: `shell(git status)`.",
        json_schema_extra=RISKY,
    )
    denied_urls: tuple[str, ...] | None = Field(
        default=None, description="Addresses and domains that it does not fetch."
    )
    disabled_mcp_servers: tuple[str, ...] | None = Field(
        default=None, description="MCP servers of its user's that do not start, by name."
    )
    disable_builtin_mcp_servers: bool | None = Field(
        default=None, description="GitHub's own MCP servers do not start."
    )
    ignore_custom_instructions: bool | None = Field(
        default=None, description="`AGENTS.md` and its like are not read."
    )
    max_ai_credits: int | None = Field(
        default=None, ge=1, description="Credits that the session may use, at most."
    )
