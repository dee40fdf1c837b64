"""Bodies of `/v1/agents` and `/v1/health`."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.api.base import ResponseBody

__all__ = ["AgentInfo", "AgentList", "Health"]


class AgentInfo(ResponseBody):
    id: str
    title: str
    installed: bool
    version: str | None = None
    path: str | None = None
    install_hint: str | None = Field(
        default=None, description="What to run when it is not installed."
    )


class AgentList(ResponseBody):
    agents: list[AgentInfo]


class Health(ResponseBody):
    status: str = "ok"
    version: str
    uptime_s: float
