"""What the coordinator tells the driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox_agent_client.batch.result import Attempt
from sandbox_agent_core.errors import SandboxAgentError

__all__ = ["End", "Happened", "News"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """To a trial. Small, since all of a batch are kept: what a trial came to is in the directory."""

    kind: Literal["started", "phase", "retried", "ended"]
    trial: str
    where: str = ""
    phase: str = ""
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """No trial runs any more, and no sandbox is left."""

    stopped: str | None = None
    """Why trials are left, in words."""
    error: SandboxAgentError | None = None
    """What made it impossible to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    life: str
    """Of the coordinator: another one after each restart, and then what happened is counted anew."""
    seen: int
    """Where the next news begin."""
    happened: list[Happened]
    end: End | None = None
