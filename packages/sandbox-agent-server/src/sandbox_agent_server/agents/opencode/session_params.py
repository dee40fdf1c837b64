"""What `session/new` and `session/resume` ask for, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.opencode.native import Native
from sandbox_agent_server.agents.session_request import (
    InvalidSession,
    McpServer,
    meta_of,
    read_cwd,
    read_mcp_servers,
    read_system_prompt,
)

__all__ = ["SessionParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    cwd: Path
    mcp_servers: dict[str, Native]
    """OpenCode's own form of them; holds keys."""
    resumed_id: str | None = None
    system_prompt: str | None = None
    """Added to OpenCode's own."""

    @classmethod
    def read(cls, params: Mapping[str, Any], *, is_resumed: bool, cwd: Path) -> SessionParams:
        """Raises: InvalidSession."""
        servers = read_mcp_servers(params.get("mcpServers"))
        return cls(
            cwd=read_cwd(params.get("cwd"), cwd),
            mcp_servers={server.name: _config(server) for server in servers},
            resumed_id=_session_id(params.get("sessionId")) if is_resumed else None,
            system_prompt=read_system_prompt(meta_of(params).get("systemPrompt")),
        )


def _session_id(value: Any) -> str:
    # It becomes part of a path of the API.
    if not isinstance(value, str) or not value.startswith("ses_") or not value.isidentifier():
        raise InvalidSession(f"`sessionId` must be as `session/new` gave it, not {value!r}")
    return value


def _config(server: McpServer) -> Native:
    if server.transport == "stdio":
        command = [server.command, *server.args]
        return {"type": "local", "command": command, "environment": dict(server.env)}
    return {
        "type": "remote",
        "url": server.url,
        "headers": dict(server.headers),
        # Without a person in front of a browser there is nothing to log in with.
        "oauth": False,
    }
