"""What `session/new` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server.agents.claude.session_params import InvalidSession as InvalidServers
from sandbox_agent_server.agents.claude.session_params import mcp_config

__all__ = ["InvalidSession", "SessionParams", "UnknownThread"]

_THREAD: Final = re.compile(r"T-[0-9A-Za-z-]{1,80}")


class InvalidSession(ValueError):
    """The parameters are not what ACP says."""


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
        given = params.get("cwd")
        if given is not None and (not isinstance(given, str) or not Path(given).is_absolute()):
            raise InvalidSession(f"`cwd` must be an absolute path, not {given!r}")
        meta = params.get("_meta")
        prompt = meta.get("systemPrompt") if isinstance(meta, dict) else None
        if isinstance(prompt, dict):
            prompt = prompt.get("append")
        return cls(
            thread=thread,
            cwd=Path(given) if given is not None else cwd,
            mcp_servers=_servers(params.get("mcpServers")),
            system_prompt=prompt if isinstance(prompt, str) and prompt else None,
        )


def _servers(given: Any) -> dict[str, Any]:
    try:
        servers = mcp_config(given)
    except InvalidServers as exc:
        raise InvalidSession(str(exc)) from exc
    # Amp tells the kinds apart by their members.
    return {
        name: {key: value for key, value in server.items() if key != "type"}
        for name, server in servers.items()
    }
