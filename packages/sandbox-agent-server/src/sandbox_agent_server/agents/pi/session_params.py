"""What `session/new`, `session/load` and `session/resume` ask for, checked: it ends up on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

__all__ = ["InvalidSession", "SessionParams"]


class InvalidSession(ValueError):
    """The parameters are not what ACP says, or not what Pi can do."""


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
        meta = params.get("_meta")
        return cls(
            resumed_id=_session_id(params.get("sessionId")) if is_resumed else None,
            cwd=_cwd(params.get("cwd"), cwd),
            system_prompt=_system_prompt(
                meta.get("systemPrompt") if isinstance(meta, dict) else None
            ),
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


def _session_id(value: Any) -> str:
    # `--session` also takes paths and prefixes, and a value with a dash in front would be an option.
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


def _system_prompt(value: Any) -> str | None:
    match value:
        case str() if value:
            return value
        case {"append": str(text)} if text:
            return text
        case _:
            return None
