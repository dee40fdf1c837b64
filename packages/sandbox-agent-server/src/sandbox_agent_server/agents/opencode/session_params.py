"""What `session/new` and `session/resume` ask for, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.opencode.native import Native, as_dict, text_in

__all__ = ["InvalidSession", "SessionParams"]


class InvalidSession(ValueError):
    """The parameters are not what ACP says, or not what OpenCode can do."""


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
        prompt = as_dict(params.get("_meta")).get("systemPrompt")
        prompt = text_in(prompt, "append") if isinstance(prompt, dict) else prompt
        return cls(
            cwd=_cwd(params.get("cwd"), cwd),
            mcp_servers=_servers(params.get("mcpServers")),
            resumed_id=_session_id(params.get("sessionId")) if is_resumed else None,
            system_prompt=prompt if isinstance(prompt, str) and prompt else None,
        )


def _session_id(value: Any) -> str:
    # It becomes part of a path of the API.
    if not isinstance(value, str) or not value.startswith("ses_") or not value.isidentifier():
        raise InvalidSession(f"`sessionId` must be as `session/new` gave it, not {value!r}")
    return value


def _cwd(value: Any, default: Path) -> Path:
    if value is None:
        return default
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise InvalidSession(f"`cwd` must be an absolute path, not {value!r}")
    return Path(value)


def _servers(servers: Any) -> dict[str, Native]:
    if servers is None:
        return {}
    if not isinstance(servers, list):
        raise InvalidSession("`mcpServers` must be a list")
    return dict(_server(item) for item in servers)


def _server(item: Any) -> tuple[str, Native]:
    match item:
        case {"name": str(name), "type": "http" | "sse", "url": str(url)} if name:
            # Without a person in front of a browser there is nothing to log in with.
            return name, {
                "type": "remote",
                "url": url,
                "headers": _pairs(item.get("headers")),
                "oauth": False,
            }
        case {"name": str(name), "command": str(command)} if name and command:
            arguments = item.get("args")
            return name, {
                "type": "local",
                "command": [command, *(map(str, arguments) if isinstance(arguments, list) else ())],
                "environment": _pairs(item.get("env")),
            }
        case _:
            shown = item.get("name") if isinstance(item, dict) else item
            raise InvalidSession(
                f"MCP server {shown!r} needs a `name` and either `command` or `type` http|sse and `url`"
            )


def _pairs(value: Any) -> dict[str, str]:
    """ACP writes environments and headers as `[{name, value}]`; objects are taken, too."""
    if isinstance(value, dict):
        return {str(name): str(text) for name, text in value.items()}
    pairs = value if isinstance(value, list) else []
    return {
        str(pair["name"]): str(pair["value"])
        for pair in pairs
        if isinstance(pair, dict) and "name" in pair and "value" in pair
    }
