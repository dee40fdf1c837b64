"""What `session/new`, `session/load` and `session/resume` ask for, checked, as `thread/start` parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sandbox_agent_server.agents.codex.native import Native

__all__ = ["InvalidSession", "SessionParams", "mcp_settings"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


class InvalidSession(ValueError):
    """The parameters are not what ACP says, or not what Codex can do."""


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
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        return cls(
            thread_id=_thread_id(params.get("sessionId")) if is_resumed else None,
            cwd=_cwd(params.get("cwd"), cwd),
            mcp_servers=mcp_settings(params.get("mcpServers")),
            directories=_directories(params.get("additionalDirectories")),
            model=meta["model"] if isinstance(meta.get("model"), str) else None,
            system_prompt=_system_prompt(meta.get("systemPrompt")),
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


def _thread_id(value: Any) -> str:
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


def mcp_settings(servers: Any) -> dict[str, Any]:
    """ACP's MCP servers as Codex's settings `mcp_servers.NAME`.

    Raises:
        InvalidSession: a server without a name, a transport that Codex does not speak, ….
    """
    if servers is None:
        return {}
    if not isinstance(servers, list):
        raise InvalidSession("`mcpServers` must be a list")
    settings: dict[str, Any] = {}
    for item in servers:
        name, server = _server(item)
        # Codex makes tool names of it, and a dot would be another table.
        setting = f"mcp_servers.{_NOT_IN_NAMES.sub('_', name)}"
        if setting in settings:
            raise InvalidSession(f"two MCP servers would have the name of {name!r} in Codex")
        settings[setting] = server
    return settings


def _server(item: Any) -> tuple[str, dict[str, Any]]:
    match item:
        case {"name": str(name), "type": "http", "url": str(url)} if name:
            return name, {"url": url, "http_headers": _pairs(item.get("headers"))}
        case {"name": str(name), "type": "sse"}:
            raise InvalidSession(f"MCP server {name!r}: Codex speaks stdio and http, not sse")
        case {"name": str(name), "command": str(command)} if name and command:
            arguments = item.get("args")
            return name, {
                "command": command,
                "args": [str(arg) for arg in arguments] if isinstance(arguments, list) else [],
                "env": _pairs(item.get("env")),
            }
        case _:
            shown = item.get("name") if isinstance(item, dict) else item
            raise InvalidSession(
                f"MCP server {shown!r} needs a `name` and either `command` or `type` http and `url`"
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
