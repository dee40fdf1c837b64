"""Snapshots with the server and agents inside, which Daytona keeps by name: the names that we give end with what went in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, image_name
from sandbox_agent_core.spi.wheel import Wheel

from sandbox_agent_daytona.api import call
from sandbox_agent_daytona.errors import PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from daytona import AsyncDaytona, AsyncSandbox
    from daytona.common.snapshot import Snapshot

__all__ = [
    "find_default",
    "find_usable",
    "listed",
    "name_of",
    "remove",
    "remove_others",
    "take",
    "usable",
]

SNAPSHOT_TIMEOUT_S = 900.0
"""Until one that is made, or that was not used for a while, can be used; or one that is removed is gone."""
LOOK_S = 0.5
_PAGE_SIZE = 100
_OURS = "sandbox-agent-"
_USABLE = ("active", "inactive")
"""Daytona puts aside what was not used for two weeks."""
_BROKEN = ("error", "build_failed")


def name_of(spec: ImageSpec) -> str:
    return spec.name or f"{image_name(spec.wheels)}-{spec.digest}"


async def find_default(client: AsyncDaytona, wheels: Sequence[Wheel]) -> str | None:
    """The newest with that state of the server's code."""
    found = await _with_prefix(client, f"{image_name(wheels)}-")
    return found[0].name if found else None


async def find_usable(client: AsyncDaytona, name: str) -> bool:
    found = await _find(client, name)
    return found is not None and _state(found) in _USABLE


async def usable(client: AsyncDaytona, name: str) -> None:
    """Wait until sandboxes can be made from it, and wake it where it was put aside.

    Raises:
        ProviderError: Daytona could not make it; the message has its reason.
        ProviderTimeout: it takes too long.
    """
    deadline = time.monotonic() + SNAPSHOT_TIMEOUT_S
    while True:
        found = await _find(client, name)
        state = None if found is None else _state(found)
        if state == "active":
            return
        if found is not None and state == "inactive":
            await call(partial(client.snapshot.activate, found), is_repeatable=True)
        elif found is not None and state in _BROKEN:
            raise ProviderError(
                f"Daytona could not make the snapshot {name!r}: {found.error_reason}",
                provider=PROVIDER,
            )
        if time.monotonic() > deadline:
            raise ProviderTimeout(
                f"The Daytona snapshot {name!r} is {state} after {SNAPSHOT_TIMEOUT_S:g} s.",
                provider=PROVIDER,
            )
        await asyncio.sleep(LOOK_S)


async def take(sandbox: AsyncSandbox, name: str) -> None:
    # The oldest SDK that is admitted calls it an experiment; what it asks of Daytona is the same.
    make = getattr(sandbox, "create_snapshot", None) or sandbox._experimental_create_snapshot
    await call(partial(make, name, timeout=SNAPSHOT_TIMEOUT_S), sandbox=sandbox.id)


async def remove(client: AsyncDaytona, name: str) -> None:
    """Until its name is free. One that is not there is no error."""
    deadline = time.monotonic() + SNAPSHOT_TIMEOUT_S
    while (found := await _find(client, name)) is not None:
        if _state(found) != "removing":
            try:
                await call(partial(client.snapshot.delete, found), is_repeatable=True)
            except ProviderError as exc:
                if exc.details.get("status") != 404:
                    raise
        elif time.monotonic() > deadline:
            raise ProviderTimeout(
                f"Daytona has not removed the snapshot {name!r} within {SNAPSHOT_TIMEOUT_S:g} s.",
                provider=PROVIDER,
            )
        else:
            await asyncio.sleep(LOOK_S)


async def remove_others(client: AsyncDaytona, name: str, wheels: Sequence[Wheel]) -> None:
    """Those that were used by default before it."""
    for one in await _with_prefix(client, f"{image_name(wheels)}-"):
        if one.name != name:
            await call(partial(client.snapshot.delete, one), is_repeatable=True)


async def listed(client: AsyncDaytona, wheels: Sequence[Wheel]) -> Sequence[SandboxImage]:
    """Those whose names we gave, newest first."""
    found = await _with_prefix(client, _OURS)
    default = next(
        (one.name for one in found if one.name.startswith(f"{image_name(wheels)}-")), None
    )
    return [
        SandboxImage(
            provider=PROVIDER,
            name=one.name,
            options={"snapshot": one.name},
            created_at=_created_at(one),
            is_default=one.name == default,
            is_new=False,
        )
        for one in found
    ]


async def _with_prefix(client: AsyncDaytona, prefix: str) -> Sequence[Snapshot]:
    found = [
        one
        async for one in _all(client)
        if one.name.startswith(prefix) and _state(one) in _USABLE and not one.general
    ]
    return sorted(found, key=_created_at, reverse=True)


async def _all(client: AsyncDaytona) -> AsyncIterator[Snapshot]:
    page = 1
    while True:
        ask = partial(client.snapshot.list, page=page, limit=_PAGE_SIZE)
        answer = await call(ask, is_repeatable=True)
        for one in answer.items:
            yield one  # type: ignore[misc]
        if page >= answer.total_pages:
            return
        page += 1


async def _find(client: AsyncDaytona, name: str) -> Snapshot | None:
    try:
        return await call(partial(client.snapshot.get, name), is_repeatable=True)
    except ProviderError as exc:
        if exc.details.get("status") == 404:
            return None
        raise


def _state(snapshot: Snapshot) -> str:
    return str(snapshot.state.value)


def _created_at(snapshot: Snapshot) -> datetime:
    made = snapshot.created_at
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)
