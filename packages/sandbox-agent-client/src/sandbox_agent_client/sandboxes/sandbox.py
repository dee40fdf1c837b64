"""A sandbox that this client made or took over, through its life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderError,
    ProviderTimeout,
    SandboxAgentError,
    SandboxAsleep,
)
from sandbox_agent_core.spi.provider import (
    Capabilities,
    Endpoint,
    PortUrl,
    SandboxImage,
    SandboxProvider,
    SandboxRef,
    SupportsExtend,
    SupportsLogs,
    SupportsPause,
    SupportsPorts,
    SupportsRestart,
    SupportsSnapshot,
    capabilities_of,
    require,
)

from sandbox_agent_client.sandboxes.health import wait_healthy
from sandbox_agent_client.sandboxes.progress import StartupStep

__all__ = ["Launched", "as_asleep", "parse_ref", "revive"]


WAKE_TIMEOUT_S = 360.0
"""Until a sandbox that sleeps runs and its server answers. Vendors take minutes for what they have archived."""


@dataclass(eq=False, kw_only=True)
class Launched:
    """A sandbox that this client made or took over. One caller at a time."""

    provider: SandboxProvider
    ref: SandboxRef
    endpoint: Endpoint = field(repr=False)
    is_ours: bool
    """This client made it."""
    steps: Sequence[StartupStep]
    health_timeout_s: float
    ends_at: datetime | None = field(init=False)
    """When its provider ends it by itself, as far as that is known."""
    heartbeat_s: float | None = None
    """How often its server sends one on a stream."""
    has_inspector: bool | None = None
    """None: its server does not say."""
    remove: Callable[[], Awaitable[None]] | None = None
    """How it is destroyed, where somebody keeps count."""

    def __post_init__(self) -> None:
        self.ends_at = self.endpoint.ends_at

    @property
    def capabilities(self) -> Capabilities:
        return capabilities_of(self.provider)

    @property
    def can_restart(self) -> bool:
        """Its provider can start a server that does not run."""
        return isinstance(self.provider, SupportsRestart)

    async def locate(self) -> Endpoint:
        """Where its server answers now. Wakes nothing."""
        self.endpoint = await self.provider.endpoint(self.ref)
        self.ends_at = self.endpoint.ends_at
        return self.endpoint

    async def pause(self) -> None:
        await require(self.provider, SupportsPause).pause(self.ref)

    async def resume(self) -> Endpoint:
        """Whoever paused it, and also when only its server has ended. Until its server answers.

        Raises:
            ProviderTimeout: it takes too long.
        """
        try:
            async with asyncio.timeout(WAKE_TIMEOUT_S):
                await revive(self.provider, self.ref)
                await self.locate()
                await wait_healthy(self.endpoint, timeout_s=self.health_timeout_s)
        except SandboxAgentError:
            raise
        except TimeoutError as exc:
            raise ProviderTimeout(
                f"The {self.ref.provider} sandbox {self.ref.id!r} is not awake after {WAKE_TIMEOUT_S:g} s.",
                provider=self.ref.provider,
                sandbox=self.ref.id,
            ) from exc
        return self.endpoint

    async def extend(self, seconds: float) -> None:
        least = datetime.now(UTC) + timedelta(seconds=seconds)
        ends_at = await require(self.provider, SupportsExtend).extend(self.ref, seconds)
        if ends_at is not None:
            self.ends_at = ends_at
        elif self.ends_at is not None:
            self.ends_at = max(self.ends_at, least)

    async def logs(self, *, tail: int) -> str:
        return await require(self.provider, SupportsLogs).logs(self.ref, tail=tail)

    async def port_url(self, port: int) -> PortUrl:
        return await require(self.provider, SupportsPorts).port_url(self.ref, port)

    async def snapshot(self, *, name: str | None) -> SandboxImage:
        return await require(self.provider, SupportsSnapshot).snapshot(self.ref, name=name)

    async def destroy(self) -> None:
        # Counted once. Again, after a failure, it is its provider's, for which one that is gone is no error.
        remove, self.remove = self.remove, None
        if remove is not None:
            await remove()
        else:
            await self.provider.destroy(self.ref)


async def revive(provider: SandboxProvider, ref: SandboxRef) -> None:
    """Whatever it did, its server runs afterwards."""
    if isinstance(provider, SupportsPause):
        await provider.resume(ref)
    if isinstance(provider, SupportsRestart):
        await provider.ensure_server(ref)


def as_asleep(error: ProviderError) -> SandboxAsleep | None:
    """What a provider says in its own words of a sandbox that sleeps; None when it says something else."""
    if isinstance(error, SandboxAsleep):
        return error
    if error.details.get("state") in ("paused", "stopped"):
        return SandboxAsleep(error.message, **error.details)
    return None


def parse_ref(ref: SandboxRef | Mapping[str, Any] | str) -> SandboxRef:
    """A reference, its JSON object, or that as text.

    Raises:
        InvalidRequest: it is none.
    """
    if isinstance(ref, SandboxRef):
        return ref
    try:
        return SandboxRef.from_json(json.loads(ref) if isinstance(ref, str) else ref)
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(
            "That is no reference to a sandbox: expected the JSON of `client.sandbox_ref`, "
            '{"provider": …, "id": …, "metadata": …}.'
        ) from exc
