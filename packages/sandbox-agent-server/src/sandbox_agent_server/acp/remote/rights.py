"""What the caller of a connection may do; whoever knows tokens puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession, PatchSession, ResumeSession
from sandbox_agent_core.api.tokens import TokenScope

__all__ = ["Bearer", "Rights"]


class Bearer(Protocol):
    @property
    def actor(self) -> str | None: ...

    def may(self, scope: TokenScope) -> bool: ...

    def require(self, scope: TokenScope, *, to: str) -> None:
        """Raises: PermissionDenied."""
        ...


@dataclass(frozen=True, slots=True)
class Rights:
    bearer: Bearer
    check_settings: Callable[[CreateSession | PatchSession | ResumeSession | ForkSession], None]
    """Raises: PermissionDenied."""
