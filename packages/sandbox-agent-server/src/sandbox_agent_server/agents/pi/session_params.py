"""What `session/new`, `session/load` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.native.session_params import (
    InvalidSession,
    meta_of,
    read_cwd,
    read_system_prompt,
    read_uuid,
)

__all__ = ["SessionParams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    resumed_id: str | None
    """Of the session to go on with."""
    cwd: Path
    system_prompt: str | None = None
    """Added to Pi's own."""

    @classmethod
    def read(cls, params: Mapping[str, Any], *, is_resumed: bool, cwd: Path) -> SessionParams:
        """Raises: InvalidSession."""
        _refuse_mcp_servers(params.get("mcpServers"))
        return cls(
            resumed_id=read_uuid(params.get("sessionId")) if is_resumed else None,
            cwd=read_cwd(params.get("cwd"), cwd),
            system_prompt=read_system_prompt(meta_of(params).get("systemPrompt")),
        )


def _refuse_mcp_servers(servers: Any) -> None:
    """Pi has no MCP client: a session that silently lacks its tools would be worse than none."""
    if not servers:
        return
    listed = servers if isinstance(servers, list) else [servers]
    names = [str(item.get("name") if isinstance(item, dict) else item) for item in listed]
    raise InvalidSession(
        f"Pi cannot use MCP servers, and the session has: {', '.join(names)}. "
        "Leave them out, or give Pi an extension that offers their tools."
    )
