"""`/v1/health` and `/v1/agents`."""

from __future__ import annotations

from sandbox_agent_core.api.agents import AgentInfo, AgentList, Health

from sandbox_agent_client._calls.call import Call, path, query, reads

__all__ = ["get_agent", "health", "list_agents"]


def health() -> Call[Health]:
    return Call(method="GET", path=path("health"), parse=reads(Health))


def list_agents(*, config: bool = False, fresh: bool = False) -> Call[AgentList]:
    asked = query(config=config or None, no_cache=fresh or None)
    return Call(method="GET", path=path("agents"), query=asked, parse=reads(AgentList))


def get_agent(agent: str, *, config: bool = True, fresh: bool = False) -> Call[AgentInfo]:
    asked = query(config=config or None, no_cache=fresh or None)
    return Call(method="GET", path=path("agents", agent), query=asked, parse=reads(AgentInfo))
