"""Options of Gemini CLI."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.agent_options.base import AgentOptions

__all__ = ["GeminiOptions"]


class GeminiOptions(AgentOptions):
    """For `agent="gemini"`."""

    extensions: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Of the extensions that its user has installed, these; `none` for none. Default: all.",
    )
    allowed_mcp_servers: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Names of the MCP servers that start, the session's own among them. Default: all.",
    )
