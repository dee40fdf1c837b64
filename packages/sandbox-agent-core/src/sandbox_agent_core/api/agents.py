"""Bodies of `/v1/agents` and `/v1/health`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sandbox_agent_core.api.base import ResponseBody

__all__ = ["AgentConfig", "AgentInfo", "AgentList", "Health"]


class AgentConfig(ResponseBody):
    """What the agent itself says that it offers, asked in an empty directory."""

    agent_info: dict[str, Any] | None = Field(default=None, description="ACP `agentInfo`.")
    capabilities: dict[str, Any] = Field(
        default_factory=dict, description="ACP `agentCapabilities` as the agent stated them."
    )
    modes: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    models: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    thought_levels: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    config_options: list[dict[str, Any]] = Field(
        default_factory=list, description="ACP config options, complete."
    )
    mode: str | None = Field(default=None, description="What a new session starts with.")
    model: str | None = None
    thought_level: str | None = None


class AgentInfo(ResponseBody):
    id: str
    title: str
    installed: bool
    version: str | None = None
    path: str | None = None
    install_hint: str | None = Field(
        default=None, description="What to run when it is not installed."
    )
    permission_modes: list[str] = Field(
        default_factory=list, description="Modes that every agent has, whatever its own are called."
    )
    config: AgentConfig | None = Field(
        default=None, description="With `?config=true`, of an agent that is installed and answers."
    )
    config_error: dict[str, Any] | None = Field(
        default=None, description="Why there is no `config`: a problem document."
    )


class AgentList(ResponseBody):
    agents: list[AgentInfo]


class Health(ResponseBody):
    status: str = "ok"
    version: str
    uptime_s: float
