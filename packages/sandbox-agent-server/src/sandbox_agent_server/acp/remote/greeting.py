"""The answer to `initialize`: which agent it is, and what a client can do through this server."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sandbox_agent_core.api.agents import AgentConfig, AgentInfo
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.frames.acp import PROTOCOL_VERSION
from sandbox_agent_core.lenient import as_dict, as_str

from sandbox_agent_server.acp.remote.vocabulary import META
from sandbox_agent_server.agents.runner.inventory import AgentInventory

__all__ = ["chosen_agent", "greeting", "introduced"]

_MOCK: Final = "mock"
_ASK_S: Final = 10.0
"""An agent that takes longer to say what it can is met when it has a session."""
_USUAL: Final[dict[str, Any]] = {
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
}
"""Of an agent that could not be asked."""


async def chosen_agent(agents: AgentInventory, name: str | None) -> str:
    """By its name; else the first that is installed. The mock is only for who asks for it.

    Raises: UnsupportedAgent; InvalidRequest when there is none to choose.
    """
    if name:
        agents.check(name)
        return name
    known = (await agents.list()).agents
    installed = [agent.id for agent in known if agent.installed and agent.id != _MOCK]
    if installed:
        return installed[0]
    names = ", ".join(agent.id for agent in known)
    raise InvalidRequest(
        f"no agent is installed here, so name one: `/acp?agent=NAME`. There are: {names}"
    )


async def greeting(
    agents: AgentInventory, name: str, params: dict[str, Any], *, version: str
) -> dict[str, Any]:
    """The result of `initialize`.

    Raises: InvalidRequest.
    """
    asked = params.get("protocolVersion")
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        raise InvalidRequest("`initialize` needs a `protocolVersion`, which is a number: 1")
    agent_info, capabilities = await introduced(agents, name)
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentCapabilities": capabilities,
        "agentInfo": agent_info,
        "authMethods": [],
        "_meta": {META: {"version": version, "agent": name}},
    }


async def introduced(agents: AgentInventory, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Who the agent is, and what can be done with it: `agentInfo` and `agentCapabilities`."""
    info = await agents.info(name)
    config = await _config(agents, name) if info.installed else None
    return _agent_info(info, config), _capabilities(config)


async def _config(agents: AgentInventory, name: str) -> AgentConfig | None:
    try:
        async with asyncio.timeout(_ASK_S):
            return (await agents.info(name, config=True)).config
    except TimeoutError:
        return None


def _capabilities(config: AgentConfig | None) -> dict[str, Any]:
    """Sessions are the server's affair: it can load, list and close those of every agent."""
    stated = {} if config is None else config.capabilities
    taken = {name: stated.get(name, usual) for name, usual in _USUAL.items()} if config else _USUAL
    sessions: dict[str, Any] = {"list": {}, "resume": {}, "close": {}, "delete": {}, "fork": {}}
    directories = as_dict(stated.get("sessionCapabilities")).get("additionalDirectories")
    if isinstance(directories, dict):
        sessions["additionalDirectories"] = directories
    return {**taken, "loadSession": True, "sessionCapabilities": sessions}


def _agent_info(info: AgentInfo, config: AgentConfig | None) -> dict[str, Any]:
    stated = as_dict(config.agent_info if config is not None else None)
    return {
        "name": as_str(stated.get("name")) or info.id,
        "title": as_str(stated.get("title")) or info.title,
        "version": as_str(stated.get("version")) or info.version or "unknown",
    }
