"""What `session/new`, `session/load` and `session/resume` ask for, checked: it ends up on command lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_str, dicts_in
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["McpServer", "SessionParams", "read_mcp_servers", "read_uuid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    name: str
    transport: Literal["stdio", "http", "sse"]
    command: str = ""
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_ms: int | None = None
    """Of a call of its tools."""
    oauth: Mapping[str, Any] | None = field(default=None, repr=False)
    """Settings of the agent's own for logging in."""


def read_uuid(value: Any) -> str:
    """A session's id, for agents whose ids are UUIDs: nothing else may get onto a command line.

    Raises:
        InvalidParams
    """
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise InvalidParams(
            f"`sessionId` must be a UUID, as `session/new` gave, not {value!r}"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParams:
    resumed_id: str | None
    """Of the session to go on with; None for a new one."""
    cwd: Path
    mcp_servers: Sequence[McpServer] = ()
    directories: Sequence[str] = ()
    """Beside `cwd`."""
    model: str | None = None
    system_prompt: str | None = None
    """Added to the agent's own."""

    @classmethod
    def read(
        cls,
        params: Mapping[str, Any],
        *,
        is_resumed: bool,
        cwd: Path,
        read_id: Callable[[Any], str] = read_uuid,
    ) -> SessionParams:
        """`cwd` is the default. Raises: InvalidParams, and what `read_id` does for an id that is none."""
        meta = as_dict(params.get("_meta"))
        return cls(
            resumed_id=read_id(params.get("sessionId")) if is_resumed else None,
            cwd=_cwd(params.get("cwd"), cwd),
            mcp_servers=read_mcp_servers(params.get("mcpServers")),
            directories=_directories(params.get("additionalDirectories")),
            model=as_str(meta.get("model")),
            system_prompt=_system_prompt(meta.get("systemPrompt")),
        )


def _cwd(value: Any, default: Path) -> Path:
    if value is None:
        return default
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise InvalidParams(f"`cwd` must be an absolute path, not {value!r}")
    return Path(value)


def _directories(value: Any) -> tuple[str, ...]:
    paths = as_list(value)
    for path in paths:
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise InvalidParams(f"`additionalDirectories` must be absolute paths, not {path!r}")
    return tuple(paths)


def _system_prompt(value: Any) -> str | None:
    """A text, or `{append: text}` as the ACP adapters of others take it."""
    match value:
        case str() if value:
            return value
        case {"append": str(text)} if text:
            return text
        case _:
            return None


def read_mcp_servers(value: Any) -> list[McpServer]:
    """ACP's `mcpServers`. Raises: InvalidParams for one that is no server."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidParams("`mcpServers` must be a list")
    return [_server(item) for item in value]


def _server(item: Any) -> McpServer:
    told = as_dict(as_dict(as_dict(item).get("_meta")).get(CAPABILITIES_META))
    timeout_ms, oauth = as_int(told.get("timeoutMs")), as_dict(told.get("oauth")) or None
    match item:
        case {"name": str(name), "type": ("http" | "sse") as transport, "url": str(url)} if name:
            return McpServer(
                name=name,
                transport=transport,
                url=url,
                headers=_pairs(item.get("headers")),
                timeout_ms=timeout_ms,
                oauth=oauth,
            )
        case {"name": str(name), "command": str(command)} if name and command:
            return McpServer(
                name=name,
                transport="stdio",
                command=command,
                args=[str(arg) for arg in as_list(item.get("args"))],
                env=_pairs(item.get("env")),
                timeout_ms=timeout_ms,
            )
        case _:
            shown = as_dict(item).get("name", item)
            raise InvalidParams(
                f"MCP server {shown!r} needs a `name` and either `command` or `type` http|sse and `url`"
            )


def _pairs(value: Any) -> dict[str, str]:
    """ACP writes environments and headers as `[{name, value}]`; objects are taken, too."""
    if isinstance(value, dict):
        return {str(name): str(text) for name, text in value.items()}
    return {
        str(pair["name"]): str(pair["value"])
        for pair in dicts_in(value)
        if "name" in pair and "value" in pair
    }
