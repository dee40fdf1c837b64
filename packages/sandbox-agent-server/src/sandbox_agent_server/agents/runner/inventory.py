"""The agents of this server as it tells of them: what a session would find, and what it would be offered."""

from __future__ import annotations

import asyncio

from sandbox_agent_core.api.agents import AgentInfo, AgentList
from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.wire.problem import to_problem

from sandbox_agent_server.agents.runner.abilities import abilities_of, settable
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.probe import AgentProbe

__all__ = ["AgentInventory"]


class AgentInventory:
    def __init__(self, factory: AgentFactory, probe: AgentProbe) -> None:
        self._factory = factory
        self._probe = probe

    def check(self, agent: str) -> None:
        """Raises: UnsupportedAgent."""
        self._factory.definition(agent)

    async def list(self, *, config: bool = False, fresh: bool = False) -> AgentList:
        names = self._factory.names()
        infos = (self.info(name, config=config, fresh=fresh) for name in names)
        return AgentList(agents=await asyncio.gather(*infos))

    async def info(self, agent: str, *, config: bool = False, fresh: bool = False) -> AgentInfo:
        """`config`: also ask it, if it is installed; `fresh`: whatever is remembered of that.

        Raises:
            UnsupportedAgent. An agent that fails to answer says why in `config_error`.
        """
        found = await asyncio.to_thread(self._factory.describe, agent)
        info = found.info()
        if not config or not found.is_installed:
            return info
        try:
            offered = await self._probe.offer(found, fresh=fresh)
        except SandboxAgentError as exc:
            return info.model_copy(update={"config_error": to_problem(exc)})
        told = {
            "capabilities": abilities_of(found.definition, offered),
            "config_options": settable(offered),
            "config": offered,
        }
        return info.model_copy(update=told)
