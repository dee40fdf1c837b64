"""Sandboxes for trials: one for each, made by it or ahead of it, or one for all of them with a directory for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from sandbox_agent_core.errors import SandboxAgentError, SandboxNotFound, ServerUnreachable
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.provider import SupportsList

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.pool import SandboxPool
from sandbox_agent_client.batch.plan import SandboxChoice, Trial
from sandbox_agent_client.sandboxes.inventory import Item, destroy_all
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.plugins import find_provider

__all__ = [
    "BATCH",
    "TRIAL",
    "WORKER",
    "OwnSandboxes",
    "Place",
    "PooledSandboxes",
    "Sandboxes",
    "SharedSandbox",
    "sandboxes_for",
    "sweep",
]

logger = logging.getLogger(__name__)

BATCH: Final = "batch"
"""The label that has the batch's id."""
TRIAL: Final = "trial"
WORKER: Final = "worker"
"""The label of the process that made it, where many carry out a batch."""
LONGEST_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trial runs."""

    client: SandboxAgent
    directory: str | None
    """Its own there. None: the whole sandbox is."""


class Sandboxes(Protocol):
    def place(self, trial: Trial) -> AbstractAsyncContextManager[Place]:
        """For one attempt; what is in it is gone afterwards."""

    async def close(self) -> None: ...


def sandboxes_for(
    choice: SandboxChoice,
    batch: str,
    *,
    worker: str | None = None,
    concurrency: int = 1,
    trials: int | None = None,
) -> Sandboxes:
    """`worker`: whose they are, where many processes carry out a batch. `concurrency`: trials at a time. `trials`: how
    many there are to be, where that is known."""
    labels = _labels(batch, worker)
    if choice.pool is not None:
        return PooledSandboxes(
            choice, labels, size=choice.pool, concurrency=concurrency, trials=trials
        )
    if not choice.share:
        return OwnSandboxes(labels)
    return SharedSandbox(lambda: _start(choice, labels))


class OwnSandboxes:
    def __init__(self, labels: Mapping[str, str]) -> None:
        """`labels`: of each of them."""
        self._labels = labels

    @asynccontextmanager
    async def place(self, trial: Trial) -> AsyncIterator[Place]:
        labels = {**self._labels, TRIAL: trial.id[-LONGEST_LABEL:].lstrip("-._")}
        async with await _start(trial.sandbox, labels) as client, _whole(client, trial) as place:
            yield place

    async def close(self) -> None:
        pass


class PooledSandboxes:
    """Out of a pool, which is there from the first trial on. Its sandboxes have no label of their trial: they are made
    before anybody knows it."""

    def __init__(
        self,
        choice: SandboxChoice,
        labels: Mapping[str, str],
        *,
        size: int,
        concurrency: int,
        trials: int | None,
    ) -> None:
        """Raises: InvalidRequest, ProviderNotInstalled."""
        self._pool = SandboxPool(
            choice.provider,
            size=size,
            max_size=size + concurrency,
            expected=trials,  # a trial that is repeated may wait for a cold start
            labels=labels,
            inspector=False,
            **choice.options,
        )
        self._opening = asyncio.Lock()
        self._is_open = False

    @asynccontextmanager
    async def place(self, trial: Trial) -> AsyncIterator[Place]:
        async with self._opening:
            if not self._is_open:
                await self._pool.__aenter__()
                self._is_open = True
        async with self._pool.acquire() as client, _whole(client, trial) as place:
            yield place

    async def close(self) -> None:
        await self._pool.close()


class SharedSandbox:
    """Made by its first trial. One that is lost is made again for the next."""

    def __init__(self, start: Callable[[], Awaitable[SandboxAgent]]) -> None:
        self._start = start
        self._starting = asyncio.Lock()
        self._current: Place | None = None
        self._all: list[Place] = []

    @asynccontextmanager
    async def place(self, trial: Trial) -> AsyncIterator[Place]:
        async with self._starting:
            shared = self._current = self._current or await self._opened()
        path = f"{shared.directory}/{new_id('trial')}"
        try:
            await shared.client.fs.mkdir(path)
            try:
                yield Place(shared.client, path)
            finally:
                await _remove(shared.client, path)
        except (SandboxNotFound, ServerUnreachable):
            if self._current is shared:
                self._current = None
            raise

    async def _opened(self) -> Place:
        client = await self._start()
        try:
            place = Place(client, await _base(client))
        except BaseException:
            await client.__aexit__(None, None, None)
            raise
        self._all.append(place)
        return place

    async def close(self) -> None:
        self._current = None
        while self._all:
            place = self._all.pop()
            try:
                async with place.client:
                    await _remove(place.client, place.directory)
            except SandboxAgentError as exc:
                logger.warning("a sandbox of the batch may be left behind: %s", exc.message)


async def sweep(choice: SandboxChoice, batch: str, *, worker: str | None = None) -> None:
    """Remove what a process that died has left of a batch: that worker, or all. What cannot be removed is logged."""
    provider = find_provider(choice.provider, choice.options)
    if not isinstance(provider, SupportsList):
        return
    try:
        infos = await provider.list(_labels(batch, worker))
    except SandboxAgentError as exc:
        logger.warning("sandboxes of batch %s may be left behind: %s", batch, exc.message)
        return
    await destroy_all((Item(provider, info) for info in infos), told=_log_removal)


def _log_removal(item: Item, problem: SandboxAgentError | None) -> None:
    ref = item.info.ref
    if problem is None:
        logger.info("removed the %s sandbox %s, left by a batch", ref.provider, ref.id)
    else:
        words = problem.message
        logger.warning("the %s sandbox %s may be left behind: %s", ref.provider, ref.id, words)


def _labels(batch: str, worker: str | None) -> dict[str, str]:
    return {BATCH: batch, **({WORKER: worker} if worker is not None else {})}


async def _start(choice: SandboxChoice, labels: Mapping[str, str]) -> SandboxAgent:
    return await SandboxAgent.start(
        choice.provider, labels=labels, inspector=False, **choice.options
    )


@asynccontextmanager
async def _whole(client: SandboxAgent, trial: Trial) -> AsyncIterator[Place]:
    """All of a sandbox. This machine is none: the directory that its server begins in is somebody's own."""
    if trial.sandbox.provider != LocalProvider.name:
        yield Place(client, None)
        return
    base = await _base(client)
    try:
        yield Place(client, base)
    finally:
        await _remove(client, base)


async def _base(client: SandboxAgent) -> str:
    made = await client.processes.run(["mktemp", "-d", "-t", "sandbox-agent-batch.XXXXXX"])
    return made.check().stdout.strip()


async def _remove(client: SandboxAgent, path: str | None) -> None:
    if path is None:
        return
    try:
        await client.fs.remove(path, recursive=True)
    except SandboxAgentError as exc:
        logger.warning("%s is left behind: %s", path, exc.message)
