"""What `session/new` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server.agents.native.session_params import (
    McpServer,
    meta_of,
    read_cwd,
    read_mcp_servers,
    read_system_prompt,
)

__all__ = ["SessionParams", "UnknownThread"]

_THREAD: Final = re.compile(r"T-[0-9A-Za-z-]{1,80}")


class UnknownThread(ValueError):
    """No thread of Amp has such an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    thread: str | None
    """To continue; None until Amp has made one, which it does at the first prompt."""
    cwd: Path
    mcp_servers: dict[str, Any]
    """Amp's own form of them; holds keys."""
    system_prompt: str | None = None

    @classmethod
    def read(cls, params: Mapping[str, Any], *, is_resumed: bool, cwd: Path) -> SessionParams:
        """Raises: InvalidSession, UnknownThread."""
        thread = params.get("sessionId") if is_resumed else None
        if is_resumed and (not isinstance(thread, str) or not _THREAD.fullmatch(thread)):
            # Also the id of a session that was never prompted: there is nothing to continue.
            raise UnknownThread(f"Amp has no thread {thread!r}")
        servers = read_mcp_servers(params.get("mcpServers"))
        return cls(
            thread=thread,
            cwd=read_cwd(params.get("cwd"), cwd),
            mcp_servers={server.name: _config(server) for server in servers},
            system_prompt=read_system_prompt(meta_of(params).get("systemPrompt")),
        )


def _config(server: McpServer) -> dict[str, Any]:
    """Amp tells the kinds apart by their members."""
    if server.transport == "stdio":
        return {"command": server.command, "args": list(server.args), "env": dict(server.env)}
    return {"url": server.url, "headers": dict(server.headers)}
