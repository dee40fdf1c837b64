"""MCP servers of a session, as types. `mcp_servers` also takes ACP's JSON, and the `mcpServers` of an `.mcp.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["McpHttp", "McpServers", "McpStdio", "acp_servers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class McpStdio:
    """A program in the sandbox that speaks MCP on its standard input and output."""

    name: str
    command: str
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold keys: never stored."""

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "command": self.command,
            "args": list(self.args),
            "env": _pairs(self.env),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class McpHttp:
    """A server at a URL, over HTTP; `type="sse"` for one of the older kind."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold keys: never stored."""
    type: Literal["http", "sse"] = "http"

    def to_wire(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "name": self.name,
            "url": self.url,
            "headers": _pairs(self.headers),
        }


McpServers = Sequence[McpStdio | McpHttp | Mapping[str, Any]] | Mapping[str, Mapping[str, Any]]
"""A list of servers, or by name as in an `.mcp.json`."""


def acp_servers(servers: Any) -> Any:
    """As ACP has them. What is neither is left for whoever checks it."""
    if isinstance(servers, Mapping):
        given = servers.get("mcpServers", servers)
        if not isinstance(given, Mapping) or not all(
            isinstance(one, Mapping) for one in given.values()
        ):
            return servers
        return [_named(name, one) for name, one in given.items()]
    if isinstance(servers, Sequence) and not isinstance(servers, str):
        return [one.to_wire() if isinstance(one, McpStdio | McpHttp) else one for one in servers]
    return servers


def _named(name: str, server: Mapping[str, Any]) -> dict[str, Any]:
    found = {"name": name, **server}
    if "url" in server:
        found.setdefault("type", "http")
    else:
        found.setdefault("args", [])
    for member in ("env", "headers"):
        if isinstance(found.get(member), Mapping):
            found[member] = _pairs(found[member])
    if "command" in server:
        found.setdefault("env", [])
        if found.get("type") == "stdio":
            del found["type"]
    return found


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]
