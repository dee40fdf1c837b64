"""The provider interface: a place where the server runs, and how to reach it.

A provider is found by the entry-point group `sandbox_agent.providers` and imports its SDK on first
use. It makes the server run *with a token*; the client waits for health and connects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

__all__ = ["Endpoint", "SandboxProvider", "SandboxRef", "SandboxSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What the caller asks for, whatever the provider."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Given to the server's environment in the sandbox. Nothing of the caller's own leaks in."""
    labels: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str], None] = lambda _step: None
    """Told in a few words which step is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRef:
    """Names one sandbox; can be stored and handed to another process."""

    provider: str
    id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"provider": self.provider, "id": self.id, "metadata": dict(self.metadata)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SandboxRef:
        """Raises: KeyError when `provider` or `id` is missing."""
        return cls(
            provider=data["provider"], id=data["id"], metadata=dict(data.get("metadata") or {})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the provider's own gateway wants on every request."""
    expires_at: datetime | None = None


class SandboxProvider(Protocol):
    name: str

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """Make a sandbox with the server running in it. A failure or cancellation leaves nothing behind.

        Raises:
            ProviderError: it could not be made; the message says what to do.
        """
        ...

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Where its server answers now."""
        ...

    async def destroy(self, ref: SandboxRef) -> None:
        """Remove the sandbox. Destroying one that is already gone succeeds."""
        ...
