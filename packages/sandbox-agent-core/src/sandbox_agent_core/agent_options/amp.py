"""Options of Amp."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions

__all__ = ["AmpOptions"]


class AmpOptions(AgentOptions):
    """For `agent="amp"`. Its agent modes (`low`, `medium`, `high`, `ultra`) are its models: `model` of the session."""

    labels: tuple[str, ...] | None = Field(default=None, description="Labels of its thread.")
    title: str | None = Field(default=None, min_length=1, description="Title of a new thread.")
    features: tuple[Literal["fast", "plaid", "pro"], ...] | None = Field(
        default=None, description="Features of a new thread; some are billed at a premium."
    )
    visibility: Literal["private", "unlisted", "workspace", "group"] | None = Field(
        default=None,
        description="Who else may see a new thread on Amp's server.",
        json_schema_extra=RISKY,
    )
