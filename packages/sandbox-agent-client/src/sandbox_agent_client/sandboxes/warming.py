"""Sandboxes that are made before anybody wants them, kept fit, and looked at before they are handed out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox_agent_core.errors import ProviderError, ProviderTimeout, SandboxAgentError
from sandbox_agent_core.spi.provider import SandboxProvider

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.sandboxes.health import wait_healthy
from sandbox_agent_client.sandboxes.launch import StartOptions, launch
from sandbox_agent_client.sandboxes.sandbox import Launched

__all__ = ["WarmSandbox", "Warming"]

logger = logging.getLogger(__name__)

HEALTH_TIMEOUT_S = 1.0
"""For the server of a warm one, which has answered before."""
LOOK_TIMEOUT_S = 20.0
DESTROY_TIMEOUT_S = 60.0
LEAST_LIFE_S = 600.0
"""That one must have before it, or half of what it had when it was made."""
EXTENSION_S = 300.0
"""Beyond that. Both is how long one lives on when its pool is suddenly gone, where its provider ends it."""
PREPARE_GRACE_S = 5.0
PREPARE_END_TIMEOUT_S = 60.0


@dataclass(eq=False, kw_only=True)
class WarmSandbox:
    launched: Launched
    least_life_s: float
    workspace: str | None = None
    """The directory that was prepared in it."""
    is_asleep: bool = False

    def __repr__(self) -> str:
        return f"{self.launched.ref.provider} sandbox {self.launched.ref.id}"


class Warming:
    """The `Source` of a pool."""

    def __init__(
        self,
        options: StartOptions,
        *,
        provider: SandboxProvider,
        prepare: Callable[[Launched], Awaitable[str | None]],
        paused: bool,
        report: Callable[[str], Any] | None,
    ) -> None:
        """`prepare` is called once with each, and answers with the directory of its workspace."""
        self._options = options
        self._provider = provider
        self._prepare = prepare
        self._paused = paused
        self._report = report

    async def make(self) -> WarmSandbox:
        async with _errors("could not be made"):
            launched = await launch(self._options, report=self._report)
            one = WarmSandbox(launched=launched, least_life_s=_least_life_s(launched))
            preparing = asyncio.ensure_future(self._prepare(launched))
            try:
                one.workspace = await asyncio.shield(preparing)
                if self._paused:
                    await launched.pause()
                    one.is_asleep = True
            except BaseException:
                await self._abandon(one, preparing)
                raise
        return one

    async def check(self, one: WarmSandbox, /) -> None:
        async with _errors("does not answer"):
            if one.is_asleep:
                await one.launched.resume()
                one.is_asleep = False
            else:
                _check_life(one)
                await wait_healthy(one.launched.endpoint, timeout_s=HEALTH_TIMEOUT_S)

    async def look_after(self, one: WarmSandbox, /) -> None:
        """Also prolongs its life. That the provider cannot be asked just now says nothing of the sandbox."""
        if one.is_asleep:
            return
        try:
            async with _errors("does not answer", timeout_s=LOOK_TIMEOUT_S):
                await self._prolong(one)
                await one.launched.locate()
                _check_life(one)
                await wait_healthy(one.launched.endpoint, timeout_s=HEALTH_TIMEOUT_S)
        except SandboxAgentError as exc:
            if not exc.retryable:
                raise
            logger.warning("%r could not be looked at: %s", one, exc)

    async def destroy(self, one: WarmSandbox, /) -> None:
        async with _errors("could not be destroyed", timeout_s=DESTROY_TIMEOUT_S):
            await self._provider.destroy(one.launched.ref)

    async def _prolong(self, one: WarmSandbox) -> None:
        if not one.launched.capabilities.extend:
            return
        try:
            await one.launched.extend(one.least_life_s + EXTENSION_S)
        except SandboxAgentError as exc:  # it lives as long as it lives
            logger.info("%r: its life cannot be prolonged: %s", one, exc)

    async def _abandon(self, one: WarmSandbox, preparing: asyncio.Future[str | None]) -> None:
        preparing.cancel()
        ending = asyncio.ensure_future(self._end(one, preparing))
        await outlast(ending, timeout_s=PREPARE_END_TIMEOUT_S + DESTROY_TIMEOUT_S)

    async def _end(self, one: WarmSandbox, preparing: asyncio.Future[str | None]) -> None:
        await asyncio.wait([preparing], timeout=PREPARE_GRACE_S)
        try:
            await self.destroy(one)
        except SandboxAgentError as exc:
            logger.error("%r may be left behind: %s", one, exc)
        # A thread cannot be cancelled; without its sandbox it fails.
        await asyncio.wait([preparing], timeout=PREPARE_END_TIMEOUT_S)
        if preparing.done() and not preparing.cancelled():
            preparing.exception()  # `make` has raised it, or was cancelled


def _least_life_s(launched: Launched) -> float:
    if launched.ends_at is None:
        return 0.0
    return min(LEAST_LIFE_S, (launched.ends_at - datetime.now(UTC)).total_seconds() / 2)


def _check_life(one: WarmSandbox) -> None:
    if (ends_at := one.launched.ends_at) is None:
        return
    left_s = (ends_at - datetime.now(UTC)).total_seconds()
    if left_s < one.least_life_s:
        raise ProviderError(f"Its provider ends it in {left_s:.0f} s.")


@asynccontextmanager
async def _errors(what: str, *, timeout_s: float | None = None) -> AsyncIterator[None]:
    """Whatever a provider raises, as ours."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except SandboxAgentError:
        raise
    except TimeoutError as exc:
        raise ProviderTimeout(f"The sandbox {what}: no answer in time.") from exc
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ProviderError(f"The sandbox {what}: what it waits for was cancelled") from exc
    except Exception as exc:
        raise ProviderError(f"The sandbox {what}: {exc!r}") from exc
