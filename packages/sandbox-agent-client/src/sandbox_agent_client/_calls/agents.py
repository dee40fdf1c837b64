"""`/v1/health` and `/v1/agents`."""

from __future__ import annotations

from sandbox_agent_core.api.agents import AgentList, Health

from sandbox_agent_client._calls.call import Call, path, reads

__all__ = ["health", "list_agents"]


def health() -> Call[Health]:
    return Call(method="GET", path=path("health"), parse=reads(Health))


def list_agents() -> Call[AgentList]:
    return Call(method="GET", path=path("agents"), parse=reads(AgentList))
