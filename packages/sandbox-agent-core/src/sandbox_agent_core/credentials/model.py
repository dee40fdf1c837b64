"""A credential that was found, and what was found instead of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Credential", "CredentialKind", "Problem"]

CredentialKind = Literal["api_key", "oauth"]

_SHOWN_ENDS = 4
# A mask that shows eight of twelve characters hides nothing.
_SHORTEST_WITH_ENDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    agent: str
    provider: str
    """Who takes it: `anthropic`, `openai`, `google`, `github`, `amp`, …"""
    kind: CredentialKind
    source: str
    """`$NAME` of a variable or the path of a file, for people."""
    value: str = field(repr=False)
    variables: tuple[str, ...] = ()
    """Variables that give it to the agent elsewhere. Empty: it works only through its login file."""
    expires_ms: int | None = None
    """Unix time in milliseconds; None when it does not say."""
    is_renewable: bool = False
    """The agent can renew it by itself, from what else is in its login file."""
    is_borrowed: bool = False
    """Another program stored it: the agent does not find it by itself, but takes it in a variable."""

    @property
    def is_of_environment(self) -> bool:
        return self.source.startswith("$")

    @property
    def masked(self) -> str:
        if len(self.value) < _SHORTEST_WITH_ENDS:
            return "***"
        return f"{self.value[:_SHOWN_ENDS]}…{self.value[-_SHOWN_ENDS:]}"

    def is_expired(self, now_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= now_ms

    def is_usable(self, now_ms: int) -> bool:
        """Here, through its login file; elsewhere only what has not expired is."""
        return self.is_renewable or not self.is_expired(now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A source that holds nothing that can be used, or not for long. Never has a secret in it."""

    agent: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.agent}: {self.source}: {self.message}"
