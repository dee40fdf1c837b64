"""Options of OpenCode and Kilo."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["KiloOptions", "OpenCodeAgent", "OpenCodeOptions"]


class OpenCodeAgent(AgentOptions):
    """An agent of OpenCode's beside those it has. What it is asked for before it acts is as for all."""

    description: str = Field(description="When it is to be used.")
    prompt: str = Field(description="Its system prompt.")
    mode: Literal["primary", "subagent", "all"] = Field(
        default="subagent",
        description="`subagent`: others hand it work. `primary`: it is a mode of the session.",
    )
    model: str | None = Field(
        default=None,
        pattern=r".+/.+",
        description="`provider/model`; without it that of the session.",
    )


class OpenCodeOptions(AgentOptions):
    """For `agent="opencode"`."""

    disabled_tools: list[str] | None = Field(
        default=None,
        description="Tools that the model does not get, by what OpenCode calls their permission: `bash`, "
        "`edit` (which is also `write` and `patch`), `webfetch`, `task`, a tool of an MCP server, …",
    )
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Model requests of one prompt, at most: in the last one it has no tools and says what is left.",
    )
    system_prompt: str | None = Field(
        default=None,
        min_length=1,
        description="Instead of the system prompt of the mode that works (OpenCode's `build`, Kilo's `code`).",
    )
    agents: dict[str, OpenCodeAgent] | None = Field(
        default=None, description="More agents, by name."
    )
    small_model: str | None = Field(
        default=None,
        pattern=r".+/.+",
        description="`provider/model` for titles and the like.",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Of the models' sampling."
    )
    top_p: float | None = Field(default=None, ge=0, le=1, description="Of the models' sampling.")
    auto_compact: bool | None = Field(
        default=None, description="Whether a context that is full is compacted without being asked."
    )
    prune: bool | None = Field(
        default=None, description="Whether old outputs of tools are left out of the context."
    )
    snapshots: bool | None = Field(
        default=None,
        description="Whether the files of a repository are kept for each step. Without it no file can be taken back.",
    )
    structured_retries: int | None = Field(
        default=None,
        ge=0,
        le=10,
        description="How often the model is asked again for an answer of the wanted form.",
    )
    plugins: list[str] | None = Field(
        default=None,
        description="Plugins that run in the agent itself: npm packages or `file://` URLs.",
        json_schema_extra=RISKY,
    )


class KiloOptions(OpenCodeOptions):
    """For `agent="kilo"`: those of OpenCode."""
