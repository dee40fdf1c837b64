"""Keeps a sandbox alive while it is used, and lets go of it when it is not."""

from __future__ import annotations

import logging
import time
from typing import Literal

from sandbox_agent_core.api.sessions import BUSY_STATUSES
from sandbox_agent_core.errors import SandboxAgentError, SandboxAsleep, SandboxNotFound

from sandbox_agent_client._async._backend import Background, Event
from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._async.sandbox import Sandbox
from sandbox_agent_client._calls import sessions as calls

__all__ = ["IDLE_TIMEOUT_S", "KeepAlive", "OnIdle"]

logger = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 900.0
"""Without a turn and without a call for that long, a sandbox is idle."""
TICK_S = 30.0
EXTENSION_S = 300.0
"""How long a sandbox that is in use lives on when its client is suddenly gone."""
PAGE_SESSIONS = 100

OnIdle = Literal["lapse", "pause"]


class KeepAlive:
    """Looks at the server from time to time: also a turn that another client started counts as use."""

    def __init__(
        self,
        sandbox: Sandbox,
        connection: Connection,
        *,
        idle_timeout_s: float | None,
        on_idle: OnIdle,
    ) -> None:
        """`idle_timeout_s` None: never idle as long as the client is open."""
        self._sandbox = sandbox
        self._connection = connection
        self._idle_timeout_s = idle_timeout_s
        self._on_idle = on_idle
        self._tick_s = TICK_S if idle_timeout_s is None else min(TICK_S, idle_timeout_s / 4)
        self._active_at = time.monotonic()
        self._refusal: type[SandboxAgentError] | None = None
        """What it was not kept alive with the last time."""
        self._stopping = Event()
        self._background = Background(f"keep {sandbox.ref.id} alive", self._run)

    async def stop(self) -> None:
        self._stopping.set()
        await self._background.stop()

    async def _run(self) -> None:
        while not await self._stopping.wait(self._tick_s):
            try:
                await self._look()
            except SandboxNotFound as exc:
                logger.warning("sandbox %s: %s", self._sandbox.ref.id, exc)
                return
            except SandboxAsleep:
                continue  # whoever found it so has said it
            except SandboxAgentError as exc:
                self._say_refusal(exc)
            else:
                self._refusal = None

    def _say_refusal(self, exc: SandboxAgentError) -> None:
        """Once: it is asked again each time, and the answer is the same for the rest of its life."""
        if self._refusal is not type(exc):
            self._refusal = type(exc)
            logger.warning("sandbox %s: not kept alive: %s", self._sandbox.ref.id, exc)

    async def _look(self) -> None:
        if self._sandbox.is_paused:
            return
        if await self._is_busy():
            self._active_at = time.monotonic()
        active_at = max(self._active_at, self._connection.called_at)
        is_idle = (
            self._idle_timeout_s is not None
            and time.monotonic() - active_at >= self._idle_timeout_s
        )
        if not is_idle:
            if self._sandbox.capabilities.extend:
                await self._sandbox.extend(EXTENSION_S)
        elif self._on_idle == "pause":
            logger.info("sandbox %s is idle: pausing it", self._sandbox.ref.id)
            await self._sandbox.pause()

    async def _is_busy(self) -> bool:
        cursor: str | None = None
        while True:
            # Past `Connection.call`: looking is no use, and wakes nothing.
            page = await self._connection.transport.call(
                calls.list_page(limit=PAGE_SESSIONS, cursor=cursor, status=sorted(BUSY_STATUSES)),
                wakes=False,
            )
            if any(info.status in BUSY_STATUSES for info in page.sessions):
                return True
            cursor = page.next_cursor
            if cursor is None:
                return False
