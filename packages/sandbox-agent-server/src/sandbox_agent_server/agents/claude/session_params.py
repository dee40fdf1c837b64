"""What `session/new` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

__all__ = ["InvalidSession", "SessionParams", "mcp_config"]


class InvalidSession(ValueError):
    """The parameters are not what ACP says, or not what Claude Code can do."""


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
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        return cls(
            session_id=new_id or _session_id(params.get("sessionId")),
            is_resumed=new_id is None,
            cwd=_cwd(params.get("cwd"), cwd),
            mcp_servers=mcp_config(params.get("mcpServers")),
            directories=_directories(params.get("additionalDirectories")),
            model=meta["model"] if isinstance(meta.get("model"), str) else None,
            system_prompt=_system_prompt(meta.get("systemPrompt")),
        )


def _session_id(value: Any) -> str:
    # `--resume` also takes names and searches, and a value with a dash in front would be an option.
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise InvalidSession(
            f"`sessionId` must be a UUID, as `session/new` gave, not {value!r}"
        ) from None


def _cwd(value: Any, default: Path) -> Path:
    if value is None:
        return default
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise InvalidSession(f"`cwd` must be an absolute path, not {value!r}")
    return Path(value)


def _directories(value: Any) -> tuple[str, ...]:
    paths = value if isinstance(value, list) else []
    for path in paths:
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise InvalidSession(f"`additionalDirectories` must be absolute paths, not {path!r}")
    return tuple(paths)


def _system_prompt(value: Any) -> str | None:
    match value:
        case str() if value:
            return value
        case {"append": str(text)} if text:
            return text
        case _:
            return None


def mcp_config(servers: Any) -> dict[str, Any]:
    """ACP's MCP servers as Claude's `mcpServers`.

    Raises:
        InvalidSession: a server without a name, a transport that Claude does not speak, ….
    """
    if servers is None:
        return {}
    if not isinstance(servers, list):
        raise InvalidSession("`mcpServers` must be a list")
    return dict(_server(item) for item in servers)


def _server(item: Any) -> tuple[str, dict[str, Any]]:
    match item:
        case {"name": str(name), "type": ("http" | "sse") as kind, "url": str(url)} if name:
            return name, {"type": kind, "url": url, "headers": _pairs(item.get("headers"))}
        case {"name": str(name), "command": str(command)} if name and command:
            arguments = item.get("args")
            return name, {
                "type": "stdio",
                "command": command,
                "args": [str(arg) for arg in arguments] if isinstance(arguments, list) else [],
                "env": _pairs(item.get("env")),
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
