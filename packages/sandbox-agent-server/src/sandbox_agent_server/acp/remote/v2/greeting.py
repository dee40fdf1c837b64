"""The answer to `initialize` in version 2."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.lenient import as_dict, as_str

from sandbox_agent_server.acp.remote.greeting import introduced
from sandbox_agent_server.acp.remote.vocabulary import META
from sandbox_agent_server.agents.runner.inventory import AgentInventory

__all__ = ["VERSION", "greeting"]

VERSION: Final = 2


async def greeting(
    agents: AgentInventory, name: str, params: dict[str, Any], *, version: str
) -> dict[str, Any]:
    """The result of `initialize`.

    Raises: InvalidRequest.
    """
    info = as_dict(params.get("info"))
    is_known = as_str(info.get("name")) is not None and as_str(info.get("version")) is not None
    # Of a version that is not known here, nobody knows what it has instead.
    if params.get("protocolVersion") == VERSION and not is_known:
        raise InvalidRequest("`initialize` needs `info`, with a `name` and a `version`")
    agent_info, capabilities = await introduced(agents, name)
    return {
        "protocolVersion": VERSION,
        "info": agent_info,
        "capabilities": {"session": _session(capabilities)},
        "authMethods": [],
        "_meta": {META: {"version": version, "agent": name}},
    }


def _session(stated: dict[str, Any]) -> dict[str, Any]:
    """Of version 1's capabilities. What is there is an object, also where there is nothing to say of it."""
    prompt = as_dict(stated.get("promptCapabilities"))
    mcp = as_dict(stated.get("mcpCapabilities"))
    session: dict[str, Any] = {
        "prompt": {name: {} for name, value in prompt.items() if value is True},
        "mcp": {"stdio": {}, **({"http": {}} if mcp.get("http") is True else {})},
        "delete": {},
    }
    directories = as_dict(stated.get("sessionCapabilities")).get("additionalDirectories")
    if isinstance(directories, dict):
        session["additionalDirectories"] = {}
    return session
