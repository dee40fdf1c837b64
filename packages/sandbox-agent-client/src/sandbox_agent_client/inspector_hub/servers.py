"""The servers that the hub reaches: those it was told of, and those of the sandboxes that exist."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox_agent_core.errors import (
    ProviderError,
    SandboxAgentError,
    SandboxAsleep,
    SandboxNotFound,
    ServerUnreachable,
)
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._endpoint import check_endpoint
from sandbox_agent_client.sandboxes.health import wait_healthy
from sandbox_agent_client.sandboxes.inventory import Inventory, Item, name_of
from sandbox_agent_client.sandboxes.sandbox import revive

__all__ = ["HubServers", "ServerEntry"]

logger = logging.getLogger(__name__)

INVENTORY_S = 5.0
"""How long what providers have listed is believed."""
EXPIRY_MARGIN = timedelta(minutes=1)
WAKE_TIMEOUT_S = 360.0
HEALTH_TIMEOUT_S = 60.0
_ASLEEP = ("paused", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEntry:
    """As the page lists it."""

    name: str
    state: str
    provider: str | None = None
    id: str | None = None


class _Sandbox:
    """Where one is, remembered. One at a time asks, so that it is woken once."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self._endpoint: Endpoint | None = None
        self._lock = asyncio.Lock()

    async def endpoint(self, *, wakes: bool) -> Endpoint:
        async with self._lock:
            if self._endpoint is None or _is_old(self._endpoint):
                self._endpoint = await self._found(wakes=wakes)
            return self._endpoint

    def forget(self, endpoint: Endpoint) -> None:
        if self._endpoint is endpoint:
            self._endpoint = None

    async def _found(self, *, wakes: bool) -> Endpoint:
        provider, ref = self.item.provider, self.item.info.ref
        try:
            return check_endpoint(await provider.endpoint(ref))
        except ProviderError as exc:
            is_asleep = isinstance(exc, SandboxAsleep) or exc.details.get("state") in _ASLEEP
            if not (is_asleep and wakes):
                raise
        logger.info("waking the %s sandbox %s", ref.provider, ref.id)
        try:
            async with asyncio.timeout(WAKE_TIMEOUT_S):
                await revive(provider, ref)
                found = check_endpoint(await provider.endpoint(ref))
                await wait_healthy(found, timeout_s=HEALTH_TIMEOUT_S)
        except TimeoutError as exc:
            raise ServerUnreachable(
                f"the {ref.provider} sandbox {ref.id} was not awake within {WAKE_TIMEOUT_S:.0f} s: try again"
            ) from exc
        return found


class HubServers:
    def __init__(
        self,
        fixed: Mapping[str, Endpoint],
        take_inventory: Callable[[], Awaitable[Inventory]] | None,
        *,
        wants: Callable[[Item], bool] = lambda _item: True,
    ) -> None:
        """`fixed`: by name, those that are there whatever providers say."""
        self._fixed = {name: check_endpoint(endpoint) for name, endpoint in fixed.items()}
        self._take_inventory = take_inventory
        self._wants = wants
        self._known: dict[str, _Sandbox] = {}
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()
        self.problems: Mapping[str, SandboxAgentError] = {}
        """By provider: those that could not be asked."""

    async def list(self) -> list[ServerEntry]:
        await self._look()
        entries = [ServerEntry(name=name, state="running") for name in self._fixed]
        for name, sandbox in self._known.items():
            info = sandbox.item.info
            entry = ServerEntry(
                name=name, state=info.state, provider=info.ref.provider, id=info.ref.id
            )
            entries.append(entry)
        return entries

    async def endpoint(self, name: str, *, wakes: bool) -> Endpoint:
        """Where it answers. Asking for a sandbox that sleeps wakes it, with `wakes`.

        Raises:
            SandboxNotFound: there is none of this name.
            SandboxAsleep: it sleeps.
            ProviderError
        """
        if (fixed := self._fixed.get(name)) is not None:
            return fixed
        if name not in self._known:
            await self._look(at_once=True)
        if (sandbox := self._known.get(name)) is None:
            raise SandboxNotFound(
                f"There is no server {name!r} here: /servers lists those there are."
            )
        return await sandbox.endpoint(wakes=wakes)

    def forget(self, name: str, endpoint: Endpoint) -> None:
        """Nothing answered there: ask again."""
        if (sandbox := self._known.get(name)) is not None:
            sandbox.forget(endpoint)

    async def _look(self, *, at_once: bool = False) -> None:
        if self._take_inventory is None:
            return
        async with self._lock:
            age_s = time.monotonic() - self._looked_at
            if age_s < (1.0 if at_once else INVENTORY_S):
                return
            found = await self._take_inventory()
            self.problems = found.problems
            items = [item for item in found.items if self._wants(item)]
            known = {_key(sandbox.item): sandbox for sandbox in self._known.values()}
            self._known = {}
            for item in items:
                sandbox = known.get(_key(item)) or _Sandbox(item)
                sandbox.item = item
                self._known[self._free_name(item)] = sandbox
            self._looked_at = time.monotonic()

    def _free_name(self, item: Item) -> str:
        """What people call it; its id where that is somebody else's already."""
        ref = item.info.ref
        for name in (name_of(ref), ref.id, f"{ref.provider} {ref.id}"):
            if name and name not in self._known and name not in self._fixed:
                return name
        return f"{ref.provider} {ref.id} {len(self._known)}"


def _key(item: Item) -> tuple[str, str]:
    return item.info.ref.provider, item.info.ref.id


def _is_old(endpoint: Endpoint) -> bool:
    expires_at = endpoint.expires_at
    return expires_at is not None and expires_at - EXPIRY_MARGIN < datetime.now(UTC)
