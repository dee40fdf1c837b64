"""Options of Pi."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["PiOptions"]


class PiOptions(AgentOptions):
    """For `agent="pi"`."""

    tools: list[str] | None = Field(
        default=None,
        min_length=1,
        description="The only tools that the model gets: of Pi (`read`, `bash`, `edit`, `write`, `grep`, `find`, `ls`) "
        "and of extensions.",
    )
    system_prompt: str | None = Field(
        default=None, min_length=1, description="Instead of Pi's own system prompt."
    )
    context_files: bool | None = Field(
        default=None, description="Whether it reads `AGENTS.md` and `CLAUDE.md`."
    )
    skills: bool | None = Field(default=None, description="Whether it looks for skills.")
    prompt_templates: bool | None = Field(
        default=None, description="Whether it looks for prompt templates, which are its commands."
    )
    auto_compaction: bool | None = Field(
        default=None, description="Whether a context that is full is compacted without being asked."
    )
    auto_retry: bool | None = Field(
        default=None, description="Whether requests that a model's provider failed are repeated."
    )
    steering: Literal["all", "one-at-a-time"] | None = Field(
        default=None,
        description="Whether all that was said into a turn comes with its next request to the model, or one each.",
    )
    extensions: list[str] | None = Field(
        default=None,
        description="Extensions that run in Pi itself: paths of files or folders.",
        json_schema_extra=RISKY,
    )
