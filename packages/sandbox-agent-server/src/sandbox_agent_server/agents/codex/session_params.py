"""What `session/new`, `session/load` and `session/resume` ask for, checked, as `thread/start` parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.session_request import (
    InvalidSession,
    McpServer,
    meta_of,
    read_cwd,
    read_directories,
    read_mcp_servers,
    read_system_prompt,
    read_uuid,
)

__all__ = ["SessionParams", "mcp_settings"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    thread_id: str | None
    """Of the thread to go on with."""
    cwd: Path
    mcp_servers: dict[str, Any]
    """Settings by their dotted names; they hold keys."""
    directories: tuple[str, ...] = ()
    """Writable beside `cwd`."""
    model: str | None = None
    system_prompt: str | None = None
    """Added to Codex's own."""

    @classmethod
    def read(cls, params: Mapping[str, Any], *, is_resumed: bool, cwd: Path) -> SessionParams:
        """Raises: InvalidSession."""
        meta = meta_of(params)
        return cls(
            thread_id=read_uuid(params.get("sessionId")) if is_resumed else None,
            cwd=read_cwd(params.get("cwd"), cwd),
            mcp_servers=mcp_settings(params.get("mcpServers")),
            directories=read_directories(params.get("additionalDirectories")),
            model=meta["model"] if isinstance(meta.get("model"), str) else None,
            system_prompt=read_system_prompt(meta.get("systemPrompt")),
        )

    def thread_params(self, configuration: Native) -> Native:
        """For `thread/start` and `thread/resume`; `configuration` is what `config.toml` says."""
        params: Native = {"cwd": str(self.cwd), "config": dict(self.mcp_servers)}
        if self.thread_id is not None:
            params["threadId"] = self.thread_id
        if self.model is not None:
            params["model"] = self.model
        if self.system_prompt is not None:
            own = configuration.get("developer_instructions")
            texts = [own, self.system_prompt] if isinstance(own, str) else [self.system_prompt]
            params["developerInstructions"] = "\n\n".join(texts)
        return params


def mcp_settings(servers: Any) -> dict[str, Any]:
    """ACP's MCP servers as Codex's settings `mcp_servers.NAME`.

    Raises:
        InvalidSession: a server without a name, a transport that Codex does not speak, ….
    """
    settings: dict[str, Any] = {}
    for server in read_mcp_servers(servers):
        # Codex makes tool names of it, and a dot would be another table.
        setting = f"mcp_servers.{_NOT_IN_NAMES.sub('_', server.name)}"
        if setting in settings:
            raise InvalidSession(f"two MCP servers would have the name of {server.name!r} in Codex")
        settings[setting] = _setting(server)
    return settings


def _setting(server: McpServer) -> dict[str, Any]:
    match server.transport:
        case "stdio":
            return {"command": server.command, "args": list(server.args), "env": dict(server.env)}
        case "http":
            return {"url": server.url, "http_headers": dict(server.headers)}
        case "sse":
            raise InvalidSession(
                f"MCP server {server.name!r}: Codex speaks stdio and http, not sse"
            )
