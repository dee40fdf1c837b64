"""Vercel's sandboxes: asked for, waited for, removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import (
    PortNotOpen,
    ProviderTimeout,
    SandboxAgentError,
    SandboxNotFound,
)
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import SandboxState

from sandbox_agent_vercel.api import call
from sandbox_agent_vercel.errors import PROVIDER

if TYPE_CHECKING:
    from vercel.sandbox import Sandbox, SandboxClient

__all__ = [
    "end_of",
    "find_ours",
    "get",
    "remove",
    "settled",
    "state_of",
    "tagged",
    "time_of",
    "url_of",
]

logger = logging.getLogger(__name__)

TRANSITION_TIMEOUT_S = 300.0
"""Until a sandbox that is stopped has its snapshot, or one that is resumed runs."""
TRANSITION_LOOK_S = 0.5

_TRANSITIONS = ("pending", "stopping", "snapshotting")


async def get(client: SandboxClient, name: str) -> Sandbox:
    """Looking does not resume it. Raises: SandboxNotFound."""
    return await call(lambda: client.get_sandbox(name=name), sandbox=name)


async def settled(client: SandboxClient, name: str) -> Sandbox:
    """The sandbox, when it neither starts nor stops any more.

    Raises:
        SandboxNotFound
        ProviderTimeout: it goes on and on.
    """
    try:
        async with asyncio.timeout(TRANSITION_TIMEOUT_S):
            while True:
                sandbox = await get(client, name)
                if sandbox.status not in _TRANSITIONS:
                    return sandbox
                await asyncio.sleep(TRANSITION_LOOK_S)
    except TimeoutError as exc:
        raise ProviderTimeout(
            f"The Vercel sandbox {name!r} neither runs nor stops within {TRANSITION_TIMEOUT_S:g} s.",
            provider=PROVIDER,
            sandbox=name,
        ) from exc


async def remove(client: SandboxClient, name: str) -> None:
    """With the snapshots that no other sandbox uses. Removing what is not there succeeds."""
    try:
        sandbox = await get(client, name)
        if sandbox.status == "running":
            await _stop_first(sandbox)
        await call(lambda: sandbox.destroy(delete_orphan_snapshots=True), sandbox=name)
    except SandboxNotFound:
        return


async def _stop_first(sandbox: Sandbox) -> None:
    """As the SDK does it. When this fails, destroying is still tried."""
    try:
        await call(sandbox.stop, sandbox=sandbox.name)
    except SandboxNotFound:
        raise
    except SandboxAgentError as exc:
        logger.warning("Vercel sandbox %s could not be stopped: %s", sandbox.name, exc)


async def find_ours(client: SandboxClient, *, most: int | None = None) -> Sequence[Sandbox]:
    return await tagged(client, OURS, "1", most=most)


async def tagged(
    client: SandboxClient, key: str, value: str, *, most: int | None = None
) -> Sequence[Sandbox]:
    """Without their sessions and routes: a list has none."""
    from vercel.sandbox import SandboxQueryByCreatedAt, TagFilter  # noqa: PLC0415 - SDK on first use

    query = SandboxQueryByCreatedAt(tag=TagFilter(key=key, value=value))

    async def ask() -> Sequence[Sandbox]:
        found = []
        async for one in client.query_sandboxes(query=query, page_size=most):
            found.append(one)
            if len(found) == most:
                break
        return found

    return await call(ask)


def url_of(sandbox: Sandbox, port: int) -> str:
    for route in sandbox.routes:
        if route.port == port:
            return str(route.url)
    raise PortNotOpen(
        f"Port {port} of the Vercel sandbox {sandbox.name!r} is not public. Give it in `ports`.",
        provider=PROVIDER,
        sandbox=sandbox.name,
    )


def end_of(sandbox: Sandbox) -> datetime | None:
    """Of the session that runs; None when Vercel does not say."""
    session = sandbox.current_session
    if session is None or session.started_at is None or session.execution_time_limit is None:
        return None
    return time_of(session.started_at) + session.execution_time_limit


def state_of(sandbox: Sandbox) -> SandboxState:
    if sandbox.status in ("running", "pending"):
        return "running"
    if sandbox.status in ("stopped", "stopping", "snapshotting"):
        return "paused" if sandbox.persistent is not False else "stopped"
    return "stopped"


def time_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
