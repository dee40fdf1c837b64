"""Where the server of a client is, and whether its sandbox sleeps: asked of the provider, who knows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sandbox_agent_core.errors import (
    ProviderError,
    SandboxAgentError,
    SandboxAsleep,
    SandboxNotFound,
    Timeout,
)
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._async._backend import Lock
from sandbox_agent_client._endpoint import check_endpoint
from sandbox_agent_client.sandboxes.sandbox import as_asleep

__all__ = ["Ask", "Wake", "Whereabouts"]

logger = logging.getLogger(__name__)

EXPIRY_MARGIN = timedelta(minutes=1)

Ask = Callable[[], Coroutine[Any, Any, Endpoint]]
Wake = Literal["auto", "never"]


class Whereabouts:
    """Shared by all calls and streams: what sleeps is woken once, however many of them want it."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        locate: Ask | None = None,
        rouse: Ask | None = None,
        can_restart: bool = False,
        wake: Wake = "auto",
    ) -> None:
        """`locate` asks the provider where the server answers now, and wakes nothing; `rouse` resumes the sandbox, and
        with `can_restart` starts its server where that does not run. Without them the server is where it is."""
        self.endpoint = check_endpoint(endpoint)
        self.is_asleep = False
        self.is_paused_here = False
        """It sleeps because this client paused it."""
        self._locate = locate
        self._rouse = rouse
        self._can_restart = can_restart
        self._wakes = wake == "auto"
        # Held also while a sandbox is paused or woken: whoever comes meanwhile waits for what comes of it.
        self._lock = Lock()

    @property
    def is_asked(self) -> bool:
        """There is a provider that knows."""
        return self._locate is not None

    async def ready(self, *, wakes: bool) -> None:
        """Before something is sent: ask again where an endpoint expires, and wake a sandbox that sleeps.

        Raises:
            SandboxAsleep: it sleeps, and is not to be woken.
            SandboxNotFound: it is gone.
            ProviderError
        """
        if self._locate is None or not self._is_stale():
            return
        async with self._lock:
            if not self._is_stale():
                return
            if not self.is_asleep:
                try:
                    self.endpoint = await self._ask()
                except SandboxAsleep as exc:
                    await self._woken(exc, wakes=wakes)
                return
            await self._woken(_paused(), wakes=wakes)

    async def recovered(
        self, used: Endpoint, failure: SandboxAgentError, *, wakes: bool
    ) -> Literal["no", "moved", "woken"]:
        """After something failed that was sent there: whether it may be tried again, and why.

        Raises:
            SandboxAsleep: the sandbox sleeps, and is not to be woken; in the words of its provider.
            SandboxNotFound: it is gone.
        """
        if self._locate is None:
            return "no"
        async with self._lock:
            if self.endpoint is not used:
                return "woken"  # by another call, meanwhile
            try:
                if self.is_asleep:
                    raise _paused()
                found = await self._ask()
            except SandboxNotFound as exc:
                raise exc from failure
            except SandboxAsleep as exc:
                await self._woken(exc, wakes=wakes)
                return "woken"
            except SandboxAgentError as exc:
                logger.info("the provider does not know where the server is: %s", exc)
                return "no"
            self.endpoint, has_moved = found, not _is_same(found, used)
            if has_moved:
                return "moved"
            restarts = wakes and self._wakes and self._can_restart
            if not restarts or isinstance(failure, Timeout):
                return "no"
            # The sandbox runs and its server does not answer: a container that was started again, say.
            await self._roused(f"its server does not answer ({failure.message})")
            return "woken"

    async def look(self, *, restarts: bool = False) -> None:
        """Ask where the server is, for a stream, which wakes nothing; with `restarts` a server that does not answer
        in a sandbox that runs is started again.

        Raises:
            SandboxAsleep: nowhere for now.
            SandboxNotFound: it is gone.
            ProviderError
        """
        if self._locate is None:
            return
        async with self._lock:
            used = self.endpoint
            self.endpoint = await self._ask()
            self.is_asleep = self.is_paused_here = False
            restarts = restarts and self._wakes and self._can_restart
            if restarts and _is_same(used, self.endpoint):
                await self._roused("its server does not answer")

    async def wake(self) -> None:
        """Resume the sandbox, whoever paused it, and start its server where that does not run."""
        async with self._lock:
            await self._roused(None)

    async def fall_asleep(self, pause: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Calls that come meanwhile wait, and wake it.

        A pause that failed may have happened all the same: waking what is awake does no harm.
        """
        async with self._lock:
            self.is_asleep = self.is_paused_here = True
            await pause()

    def _is_stale(self) -> bool:
        expires_at = self.endpoint.expires_at
        is_old = expires_at is not None and expires_at - EXPIRY_MARGIN < datetime.now(UTC)
        return self.is_asleep or is_old

    async def _ask(self) -> Endpoint:
        """Raises: SandboxAsleep, also for a provider that says it in other words."""
        assert self._locate is not None
        try:
            return check_endpoint(await self._locate())
        except ProviderError as exc:
            asleep = as_asleep(exc)
            if asleep is None:
                raise
            if not self.is_asleep:
                self.is_asleep = True
                logger.warning("%s It was not this client that paused it.", exc.message)
            raise asleep from exc

    async def _woken(self, asleep: SandboxAsleep, *, wakes: bool) -> None:
        if not (wakes and self._wakes):
            raise asleep
        await self._roused(asleep.message)

    async def _roused(self, why: str | None) -> None:
        if self._rouse is None:
            return
        if why is not None:
            logger.info("waking the sandbox: %s", why)
        self.endpoint = check_endpoint(await self._rouse())
        self.is_asleep = self.is_paused_here = False


def _paused() -> SandboxAsleep:
    return SandboxAsleep(
        "The sandbox is paused. `client.sandbox.resume()` wakes it.", state="paused"
    )


def _is_same(one: Endpoint, other: Endpoint) -> bool:
    return (one.url, one.token, one.headers) == (other.url, other.token, other.headers)
