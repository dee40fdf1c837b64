"""The MCP servers that a session is given, checked before an agent is: most agents drop what they do not understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest, ValueNotSupported
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentDefinition

__all__ = ["check_mcp_servers"]

_REMOTE: Final = ("http", "sse")
_MAX_SHOWN_CHARS: Final = 64


def check_mcp_servers(definition: AgentDefinition, servers: Sequence[Mapping[str, Any]]) -> None:
    """
    Raises:
        InvalidRequest: one is none, or two have one name. Shows no value of theirs, which may be a key.
        ValueNotSupported: the agent takes none of that type.
    """
    names: set[str] = set()
    for index, server in enumerate(servers):
        name = server.get("name")
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise InvalidRequest(f"`mcpServers[{index}]` needs a `name`")
        where = f"MCP server {name[:_MAX_SHOWN_CHARS]!r}"
        if name in names:
            raise InvalidRequest(
                f"{where}: two have this name, and an agent would take one of them"
            )
        names.add(name)
        # ACP: one without a type is a program.
        transport = server.get("type", "stdio")
        if not isinstance(transport, str):
            raise InvalidRequest(f"{where}: `type` must be text")
        if transport == "stdio":
            _check_program(server, where)
        elif transport in _REMOTE:
            _check_url(server, where)
        elif transport not in definition.mcp_transports:
            raise InvalidRequest(
                f"{where}: there is no `type` {transport[:_MAX_SHOWN_CHARS]!r}; it is stdio, http or sse"
            )
        if transport not in definition.mcp_transports:
            offered = list(definition.mcp_transports)
            raise ValueNotSupported(
                f"{where}: {definition.title} takes none over {transport}; it takes: "
                f"{', '.join(offered) or 'none'}",
                offered=offered,
            )


def _check_program(server: Mapping[str, Any], where: str) -> None:
    if not _is_text(server.get("command")):
        raise InvalidRequest(f"{where}: needs a `command`, or `type` http or sse and a `url`")
    args = server.get("args", [])
    if not isinstance(args, list) or not all(_is_text(arg, may_be_empty=True) for arg in args):
        raise InvalidRequest(f"{where}: `args` must be a list of texts without NUL characters")
    _check_pairs(server.get("env"), f"{where}: `env`")


def _check_url(server: Mapping[str, Any], where: str) -> None:
    url = server.get("url")
    if not _is_text(url) or not str(url).lower().startswith(("http://", "https://")):
        raise InvalidRequest(f"{where}: needs a `url` that begins with http:// or https://")
    _check_pairs(server.get("headers"), f"{where}: `headers`")


def _check_pairs(value: Any, where: str) -> None:
    """`[{name, value}]`, as ACP says, or `{name: value}`."""
    pairs: Any = value
    if isinstance(value, dict):
        pairs = [{"name": name, "value": text} for name, text in value.items()]
    for pair in [] if pairs is None else pairs if isinstance(pairs, list) else [None]:
        known = as_dict(pair)
        if not _is_text(known.get("name")) or not _is_text(known.get("value"), may_be_empty=True):
            raise InvalidRequest(
                f"{where} must be a list of {{name, value}}, both texts without NUL characters"
            )


def _is_text(value: Any, *, may_be_empty: bool = False) -> bool:
    return isinstance(value, str) and "\0" not in value and (may_be_empty or bool(value.strip()))
