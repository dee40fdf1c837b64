"""What `session/new`, `session/load` and `session/resume` ask for, checked: what every native adapter reads alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

__all__ = [
    "InvalidSession",
    "McpServer",
    "meta_of",
    "read_cwd",
    "read_directories",
    "read_mcp_servers",
    "read_system_prompt",
    "read_uuid",
]


class InvalidSession(ValueError):
    """The parameters are not what ACP says, or not what the agent can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    name: str
    transport: Literal["stdio", "http", "sse"]
    command: str = ""
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def meta_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def read_uuid(value: Any) -> str:
    """A session's id, for agents whose ids are UUIDs: nothing else may get onto a command line.

    Raises:
        InvalidSession
    """
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise InvalidSession(
            f"`sessionId` must be a UUID, as `session/new` gave, not {value!r}"
        ) from None


def read_cwd(value: Any, default: Path) -> Path:
    """Raises: InvalidSession."""
    if value is None:
        return default
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise InvalidSession(f"`cwd` must be an absolute path, not {value!r}")
    return Path(value)


def read_directories(value: Any) -> tuple[str, ...]:
    """`additionalDirectories`. Raises: InvalidSession."""
    paths = value if isinstance(value, list) else []
    for path in paths:
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise InvalidSession(f"`additionalDirectories` must be absolute paths, not {path!r}")
    return tuple(paths)


def read_system_prompt(value: Any) -> str | None:
    """A text, or `{append: text}` as the ACP adapters of others take it."""
    match value:
        case str() if value:
            return value
        case {"append": str(text)} if text:
            return text
        case _:
            return None


def read_mcp_servers(value: Any) -> list[McpServer]:
    """ACP's `mcpServers`. Raises: InvalidSession for one that is no server."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidSession("`mcpServers` must be a list")
    return [_server(item) for item in value]


def _server(item: Any) -> McpServer:
    match item:
        case {"name": str(name), "type": ("http" | "sse") as transport, "url": str(url)} if name:
            return McpServer(
                name=name, transport=transport, url=url, headers=_pairs(item.get("headers"))
            )
        case {"name": str(name), "command": str(command)} if name and command:
            args = item.get("args")
            return McpServer(
                name=name,
                transport="stdio",
                command=command,
                args=[str(arg) for arg in args] if isinstance(args, list) else [],
                env=_pairs(item.get("env")),
            )
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
