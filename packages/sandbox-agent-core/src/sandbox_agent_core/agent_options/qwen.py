"""Options of Qwen Code."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["QwenOptions"]


class QwenOptions(AgentOptions):
    """For `agent="qwen"`."""

    extensions: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Of the extensions that its user has installed, these; `none` for none. Default: all.",
    )
    excluded_tools: tuple[str, ...] | None = Field(
        default=None,
        description="Tools that its model is not offered, such as `run_shell_command`.",
    )
    allowed_tools: tuple[str, ...] | None = Field(
        default=None,
        description="Tools that it runs without asking, so that no policy sees them.",
        json_schema_extra=RISKY,
    )
    fallback_models: tuple[str, ...] | None = Field(
        default=None,
        max_length=3,
        description="Models that go on when the session's own has no capacity (429, 503, 529), in this order.",
    )
    max_subagent_depth: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="How deep sub-agents may start sub-agents; 1: they may not.",
    )
    output_style: str | None = Field(
        default=None, min_length=1, description="How it writes, such as `Concise` or `Explanatory`."
    )
