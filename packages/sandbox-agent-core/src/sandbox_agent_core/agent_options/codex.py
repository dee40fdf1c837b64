"""Options of Codex."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["CODEX_CONFIG", "CodexOptions"]

CODEX_CONFIG: Final = (
    "hide_agent_reasoning",
    "model_auto_compact_token_limit_scope",
    "model_context_window",
    "project_doc_max_bytes",
    "show_raw_agent_reasoning",
    "tool_output_token_limit",
)
"""Settings of `config.toml` that a session may have otherwise: none of them is about what Codex may do."""


class CodexOptions(AgentOptions):
    """For `agent="codex"`."""

    output_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of every answer, for prompts that come without one. Codex asks the model for it and "
        "does not check the answer.",
    )
    personality: Literal["none", "friendly", "pragmatic"] | None = Field(
        default=None, description="Its style, for models that have more than one."
    )
    service_tier: str | None = Field(
        default=None,
        min_length=1,
        description="How the provider treats its requests, such as `fast` or `flex`, for models that offer it.",
    )
    summary: Literal["auto", "concise", "detailed", "none"] | None = Field(
        default=None, description="How the model sums up its reasoning."
    )
    verbosity: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How much the model says, for models that can be told."
    )
    collaboration_mode: Literal["default", "plan"] | None = Field(
        default=None,
        description="`plan`: it plans and asks in every mode, under the approvals and the sandbox of that mode.",
    )
    web_search: Literal["disabled", "cached"] | None = Field(
        default=None, description="Whether the model may search what the provider has of the web."
    )
    live_web_search: bool | None = Field(
        default=None,
        description="The model may search the web itself, and open its pages.",
        json_schema_extra=RISKY,
    )
    review_model: str | None = Field(
        default=None, min_length=1, description="The model of reviews, instead of the session's."
    )
    compact_prompt: str | None = Field(
        default=None, min_length=1, description="What a compaction of the context goes by."
    )
    auto_compact_tokens: int | None = Field(
        default=None, ge=1, description="Tokens in the context at which it compacts by itself."
    )
    max_goal_turns: int | None = Field(
        default=None,
        ge=1,
        description="Turns that it may begin by itself, following a goal, until somebody prompts: 25. Then the goal "
        "is paused.",
    )
    config: dict[str, bool | int | str] | None = Field(
        default=None,
        description=f"Settings of its `config.toml`, of these: {', '.join(f'`{name}`' for name in CODEX_CONFIG)}.",
    )
    profile: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Settings of `NAME.config.toml` beside its `config.toml`, but for approvals and sandbox.",
        json_schema_extra=RISKY,
    )

    @field_validator("config")
    @classmethod
    def _check_config(
        cls, value: dict[str, bool | int | str] | None
    ) -> dict[str, bool | int | str] | None:
        unknown = [name for name in value or {} if name not in CODEX_CONFIG]
        if unknown:
            known = ", ".join(CODEX_CONFIG)
            raise ValueError(f"{', '.join(map(repr, unknown))} cannot be set; there are: {known}")
        return value
