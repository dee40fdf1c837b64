"""Keeps what a session was given in confidence out of everything that its agent says about it.

A net, not a wall: a value that the agent writes in pieces, or encoded, is not recognised.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.redact import is_secret_name, mask
from sandbox_agent_core.spi.agent import AgentExit, WireFrame

from sandbox_agent_server.jsonio import dumps

__all__ = ["SHORTEST_SECRET", "Redaction", "redact_servers"]

SHORTEST_SECRET = 8
"""Characters. Shorter values are no secrets, and would be found where they are not meant."""

_MASK = "***"
_FILES = "fs/"


class Redaction:
    """Of one life of an agent: the values of its session's environment and MCP servers."""

    def __init__(self, env: Mapping[str, str], mcp_servers: Iterable[Mapping[str, Any]]) -> None:
        given = [*env.items(), *_of_servers(mcp_servers)]
        # In failures everything is masked. What an agent says in its work keeps what is not called
        # a secret: a value such as `production` or `application/json` is part of many texts.
        self._given = _longest_first(value for _name, value in given)
        self._secrets = _longest_first(value for name, value in given if is_secret_name(name))
        self.is_needed = bool(self._given)
        """False: nothing was given that could be seen, and `batch` changes nothing."""
        self._given_bytes = _as_written(self._given)
        self._secret_bytes = _as_written(self._secrets)

    def batch(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [self._frame(wire) for wire in batch]

    def text(self, text: str) -> str:
        return mask(text, secrets=self._given)

    def error(self, error: SandboxAgentError) -> SandboxAgentError:
        """The same error, with nothing in its message and details that must not be seen."""
        if not self._given:
            return error
        details = _masked(error.details, self._given)
        return type(error)(_masked(error.message, self._given), **details)

    def exit(self, ended: AgentExit) -> AgentExit:
        if not self._given or not ended.stderr_tail:
            return ended
        return dataclasses.replace(ended, stderr_tail=self.text(ended.stderr_tail))

    def _frame(self, wire: WireFrame) -> WireFrame:
        method = str(wire.frame.get("method"))
        is_failure = "error" in wire.frame or method == extensions.AGENT_UNPARSED
        if not _holds(wire.raw, self._given_bytes if is_failure else self._secret_bytes):
            return wire
        masked = _masked(wire.frame, self._given if is_failure else self._secrets)
        # A file is read and written as the agent says; only the log of it is masked.
        return WireFrame(dumps(masked), wire.frame if method.startswith(_FILES) else masked)


def _of_servers(servers: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for server in servers:
        for member in ("env", "headers"):
            yield from _pairs(server.get(member))


def _pairs(values: Any) -> Iterator[tuple[str, str]]:
    """`[{name, value}]`, as ACP says, or `{name: value}`."""
    if isinstance(values, Mapping):
        values = [{"name": name, "value": value} for name, value in values.items()]
    for pair in values if isinstance(values, list) else ():
        value = pair.get("value") if isinstance(pair, Mapping) else None
        if isinstance(value, str):
            name = str(pair.get("name"))
            yield name, value
            # `Authorization: Bearer KEY`: the key is quoted without its scheme.
            yield name, value.rpartition(" ")[2]


def _longest_first(values: Iterable[str]) -> tuple[str, ...]:
    long_enough = {value for value in values if len(value) >= SHORTEST_SECRET}
    return tuple(sorted(long_enough, key=len, reverse=True))


def _as_written(values: Iterable[str]) -> tuple[bytes, ...]:
    """In JSON, with and without escapes for what is not ASCII."""
    return tuple(
        {
            json.dumps(value, ensure_ascii=is_ascii)[1:-1].encode("utf-8", "surrogatepass")
            for value in values
            for is_ascii in (True, False)
        }
    )


def _holds(raw: bytes, values: tuple[bytes, ...]) -> bool:
    return any(value in raw for value in values)


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, _MASK)
        return value
    if isinstance(value, dict):
        return {_masked(key, secrets): _masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secrets) for item in value]
    return value


def redact_servers(servers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """MCP servers without the values of their environment and headers: those are keys."""
    return [
        {
            key: _without_values(value) if key in ("env", "headers") else value
            for key, value in server.items()
        }
        for server in servers
    ]


def _without_values(pairs: Any) -> Any:
    if isinstance(pairs, dict):
        return dict.fromkeys(pairs, _MASK)
    if isinstance(pairs, list):
        return [{**pair, "value": _MASK} if isinstance(pair, dict) else _MASK for pair in pairs]
    return _MASK
