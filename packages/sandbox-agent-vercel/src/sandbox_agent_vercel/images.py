"""Snapshots with the server and agents inside. Vercel's have no names, so each belongs to a stopped sandbox whose tags say
what is in it; deleting that one deletes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderError,
    ProviderTimeout,
    SandboxNotFound,
)
from sandbox_agent_core.spi.images import SandboxImage

from sandbox_agent_vercel import sandboxes
from sandbox_agent_vercel.api import call
from sandbox_agent_vercel.errors import PROVIDER

if TYPE_CHECKING:
    from vercel.sandbox import Sandbox, SandboxClient

__all__ = ["Kept", "find", "finish", "is_there", "listed", "remove", "remove_others", "tags_of"]

IMAGE = "sandbox-agent-image"
"""Tag: always `1`. They are not found, and swept, as sandboxes of ours are."""
NAME = "sandbox-agent-image-name"
DIGEST = "sandbox-agent-image-digest"
UNFINISHED = "unfinished"
"""The digest of one that is still installed."""
SNAPSHOT_TIMEOUT_S = 600.0
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Kept:
    sandbox: str
    digest: str
    snapshot: str


def tags_of(name: str, digest: str = UNFINISHED) -> dict[str, str]:
    return {IMAGE: "1", NAME: name, DIGEST: digest}


async def find(client: SandboxClient, name: str) -> Kept | None:
    """The newest of that name whose snapshot is there: Vercel deletes those that were not used for long."""
    for one in await _finished(client, NAME, name):
        try:
            sandbox = await sandboxes.get(client, one.name)
        except SandboxNotFound:
            continue
        snapshot = sandbox.current_snapshot_id
        if snapshot is not None and await is_there(client, snapshot):
            return Kept(one.name, (one.tags or {})[DIGEST], snapshot)
    return None


async def finish(client: SandboxClient, sandbox: Sandbox, name: str, digest: str) -> str:
    """Stop the one in which everything is installed, which makes the snapshot; its id.

    Raises:
        ProviderError: Vercel made none.
    """
    await call(partial(sandbox.update, tags=tags_of(name, digest)), sandbox=sandbox.name)
    await call(sandbox.stop, sandbox=sandbox.name)
    snapshot = await _snapshot_of(client, sandbox.name)
    if not await is_there(client, snapshot):
        raise ProviderError(
            f"Vercel could not make the snapshot {snapshot!r}.",
            provider=PROVIDER,
            sandbox=sandbox.name,
        )
    return snapshot


async def remove(client: SandboxClient, name: str) -> None:
    """All of that name, with their snapshots where no sandbox uses them."""
    for one in await sandboxes.tagged(client, NAME, name):
        await sandboxes.remove(client, one.name)


async def remove_others(client: SandboxClient, name: str, kept: str) -> None:
    """Those of that name from before; not one that somebody is just installing."""
    for one in await sandboxes.tagged(client, NAME, name):
        if one.name != kept and (_is_finished(one) or one.status == "stopped"):
            await sandboxes.remove(client, one.name)


async def listed(client: SandboxClient, default: str) -> Sequence[SandboxImage]:
    """One for each name, newest first."""
    newest: dict[str, datetime | None] = {}
    for one in await _finished(client, IMAGE, "1"):
        newest.setdefault((one.tags or {})[NAME], _created_at(one))
    return [
        SandboxImage(
            provider=PROVIDER,
            name=name,
            options={"snapshot": name},
            created_at=created_at,
            is_default=name == default,
            is_new=False,
        )
        for name, created_at in newest.items()
    ]


async def _finished(client: SandboxClient, key: str, value: str) -> Sequence[Sandbox]:
    found = [one for one in await sandboxes.tagged(client, key, value) if _is_finished(one)]
    return sorted(found, key=lambda one: one.created_at or 0, reverse=True)


def _is_finished(sandbox: Sandbox) -> bool:
    return (sandbox.tags or {}).get(DIGEST, UNFINISHED) != UNFINISHED


async def _snapshot_of(client: SandboxClient, name: str) -> str:
    """Of one that is stopped, or about to be."""
    try:
        async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
            while True:
                sandbox = await sandboxes.settled(client, name)
                if sandbox.current_snapshot_id is not None:
                    return sandbox.current_snapshot_id
                await asyncio.sleep(LOOK_S)
    except TimeoutError as exc:
        raise ProviderTimeout(
            f"Vercel made no snapshot of the stopped sandbox {name!r} within {SNAPSHOT_TIMEOUT_S:g} s.",
            provider=PROVIDER,
            sandbox=name,
        ) from exc


async def is_there(client: SandboxClient, snapshot: str) -> bool:
    """Whether there is a snapshot with that id."""
    try:
        found = await call(partial(client.get_snapshot, snapshot_id=snapshot))
    except ProviderError as exc:
        if exc.details.get("status") in (404, 410):
            return False
        raise
    except InvalidRequest:
        return False  # it has not the form of an id
    return found.status == "created"


def _created_at(sandbox: Sandbox) -> datetime | None:
    return None if sandbox.created_at is None else sandboxes.time_of(sandbox.created_at)
