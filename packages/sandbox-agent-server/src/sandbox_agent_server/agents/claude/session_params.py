"""What `session/new` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.session_request import (
    McpServer,
    meta_of,
    read_cwd,
    read_directories,
    read_mcp_servers,
    read_system_prompt,
    read_uuid,
)

__all__ = ["SessionParams", "mcp_config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    session_id: str
    is_resumed: bool
    cwd: Path
    mcp_servers: dict[str, Any]
    """Claude's own form of them; holds keys."""
    directories: tuple[str, ...] = ()
    model: str | None = None
    system_prompt: str | None = None
    """Added to Claude's own."""

    @classmethod
    def read(cls, params: Mapping[str, Any], *, new_id: str | None, cwd: Path) -> SessionParams:
        """`new_id` for `session/new`; None for `session/resume`, which names its session.

        Raises:
            InvalidSession: see the message.
        """
        meta = meta_of(params)
        return cls(
            session_id=new_id or read_uuid(params.get("sessionId")),
            is_resumed=new_id is None,
            cwd=read_cwd(params.get("cwd"), cwd),
            mcp_servers=mcp_config(params.get("mcpServers")),
            directories=read_directories(params.get("additionalDirectories")),
            model=meta["model"] if isinstance(meta.get("model"), str) else None,
            system_prompt=read_system_prompt(meta.get("systemPrompt")),
        )


def mcp_config(servers: Any) -> dict[str, Any]:
    """ACP's MCP servers as Claude's `mcpServers`.

    Raises:
        InvalidSession: a server without a name, a transport that Claude does not speak, ….
    """
    return {server.name: _config(server) for server in read_mcp_servers(servers)}


def _config(server: McpServer) -> dict[str, Any]:
    if server.transport == "stdio":
        return {
            "type": "stdio",
            "command": server.command,
            "args": list(server.args),
            "env": dict(server.env),
        }
    return {"type": server.transport, "url": server.url, "headers": dict(server.headers)}
