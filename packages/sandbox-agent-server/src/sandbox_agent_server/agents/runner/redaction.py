"""Keeps what a session was given in confidence out of everything that its agent says about it.

A net, not a wall: a value that the agent writes encoded is not recognised.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.redact import mask, secret_values
from sandbox_agent_core.spi.agent import AgentExit, WireFrame

from sandbox_agent_server.agents.runner.mcp_secrets import given_values, secrets_of_servers
from sandbox_agent_server.agents.runner.pieces import Pieces
from sandbox_agent_server.jsonio import dumps

__all__ = ["SHORTEST_SECRET", "Redaction"]

SHORTEST_SECRET = 8
"""Characters. Shorter values are no secrets, and would be found where they are not meant."""

_MASK = "***"
_FILES = "fs/"


class Redaction:
    """Of one life of an agent: the values of its session's environment and MCP servers."""

    def __init__(
        self,
        env: Mapping[str, str],
        mcp_servers: Sequence[Mapping[str, Any]],
        *,
        inherited: Mapping[str, str] | None = None,
    ) -> None:
        """`inherited`: what the agent may have of the server's own environment."""
        hidden = [*secret_values(env)]
        # A path says where a secret is, and is part of much that an agent says.
        hidden += [one for one in secret_values(inherited or {}) if not one.startswith("/")]
        hidden += secrets_of_servers(mcp_servers)
        given = [*env.values(), *(value for _name, value in given_values(mcp_servers)), *hidden]
        # In failures everything is masked. What an agent says in its work keeps what is not called
        # a secret: a value such as `production` or `application/json` is part of many texts.
        self._given = _longest_first(given)
        self._secrets = _longest_first(hidden)
        self.is_needed = bool(self._given)
        """False: nothing was given that could be seen, and `batch` changes nothing."""
        self._given_bytes = _as_written(self._given)
        self._secret_bytes = _as_written(self._secrets)
        self._pieces = Pieces(self._secrets)

    def batch(self, batch: list[WireFrame]) -> list[WireFrame]:
        """What may be seen of it. A piece of a text that may begin a secret comes with a later one."""
        pass_on = self._pieces.pass_on
        return [shown for wire in batch for shown in pass_on(self._frame(wire))]

    @property
    def is_holding(self) -> bool:
        """Something is held back."""
        return self._pieces.is_holding

    def let_go(self) -> list[WireFrame]:
        """What is held back, because nothing follows it."""
        return self._pieces.let_go()

    def shown(self, value: Any) -> Any:
        """What was made of the agent's work, as JSON, without what is called a secret."""
        return _masked(value, self._secrets)

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
        if not _holds(wire, self._given_bytes if is_failure else self._secret_bytes):
            return wire
        masked = _masked(wire.frame, self._given if is_failure else self._secrets)
        # A file is read and written as the agent says; only the log of it is masked.
        return WireFrame(dumps(masked), wire.frame if method.startswith(_FILES) else masked)


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


def _holds(wire: WireFrame, values: tuple[bytes, ...]) -> bool:
    raw = wire.raw
    if any(value in raw for value in values):
        return True
    # Any character may be written as an escape. Written by us, none is that need not be.
    if b"\\u" not in raw and b"\\/" not in raw:
        return False
    plain = dumps(wire.frame)
    return any(value in plain for value in values)


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
