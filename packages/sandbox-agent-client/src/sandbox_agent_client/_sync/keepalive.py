# Generated from `_async/keepalive.py` by `scripts/unasync.py`: do not edit.
"""Keeps a sandbox alive while it is used, lets go of it when it is not, and tells before it ends."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Literal

from sandbox_agent_core.api.sessions import BUSY_STATUSES
from sandbox_agent_core.errors import SandboxAgentError, SandboxAsleep, SandboxNotFound

from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._sync._backend import Background, Event, is_end_of_task
from sandbox_agent_client._sync.connection import Connection
from sandbox_agent_client._sync.ending import ENDING_BEFORE_S, Ending
from sandbox_agent_client._sync.sandbox import SandboxSync

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
        sandbox: SandboxSync,
        connection: Connection,
        *,
        idle_timeout_s: float | None,
        on_idle: OnIdle,
    ) -> None:
        """`idle_timeout_s` None: never idle as long as the client is open; 0: always, so that nothing is asked."""
        self._sandbox = sandbox
        self._connection = connection
        self._idle_timeout_s = idle_timeout_s
        self._on_idle = on_idle
        self._tick_s = min(TICK_S, idle_timeout_s / 4) if idle_timeout_s else TICK_S
        self._active_at = time.monotonic()
        self._refusal: type[SandboxAgentError] | None = None
        """What it was not kept alive with the last time."""
        self._is_stopping = False
        self._changed = Event()
        self._looked_at = time.monotonic()
        sandbox.endings_changed = self._changed.set
        sandbox.endings.add(Ending(self._say_end, before_s=ENDING_BEFORE_S))
        self._background = Background(f"keep {sandbox.ref.id} alive", self._run)

    def stop(self) -> None:
        self._is_stopping = True
        self._changed.set()
        self._background.stop()

    def _run(self) -> None:
        while True:
            self._changed.wait(self._pause_s())
            self._changed.clear()
            if self._is_stopping:
                return
            if time.monotonic() - self._looked_at >= self._tick_s:
                self._looked_at = time.monotonic()
                if not self._looked():
                    return
            self._tell_ending()

    def _pause_s(self) -> float:
        """Until there is something to do."""
        pauses = [self._tick_s - (time.monotonic() - self._looked_at)]
        if (ends_at := self._sandbox.ends_at) is not None:
            pauses += [s for one in self._sandbox.endings if (s := one.wait_s(ends_at)) is not None]
        return max(0.0, min(pauses))

    def _tell_ending(self) -> None:
        for ending in list(self._sandbox.endings):
            ends_at = self._sandbox.ends_at  # a callback may have moved it
            if ends_at is None or ending.wait_s(ends_at) != 0:
                continue
            try:
                ending.tell(ends_at)
            except BaseException as exc:
                if is_end_of_task(exc):
                    raise
                logger.error("sandbox %s: `on_ending` failed", self._sandbox.ref.id, exc_info=exc)

    def _say_end(self, ends_at: datetime) -> None:
        can_extend = self._sandbox.capabilities.extend
        logger.warning(
            "sandbox %s ends at %s, and what runs in it is interrupted.%s",
            self._sandbox.ref.id,
            f"{ends_at:%H:%M:%S} UTC",
            " `client.sandbox.extend(seconds)` prolongs it, as far as its provider lets it."
            * can_extend,
        )

    def _looked(self) -> bool:
        """False when the sandbox is gone."""
        try:
            self._look()
        except SandboxNotFound as exc:
            logger.warning("sandbox %s: %s", self._sandbox.ref.id, exc)
            return False
        except SandboxAsleep:
            pass  # whoever found it so has said it
        except SandboxAgentError as exc:
            self._say_refusal(exc)
        else:
            self._refusal = None
        return True

    def _say_refusal(self, exc: SandboxAgentError) -> None:
        """Once: it is asked again each time, and the answer is the same for the rest of its life."""
        if self._refusal is not type(exc):
            self._refusal = type(exc)
            logger.warning("sandbox %s: not kept alive: %s", self._sandbox.ref.id, exc)

    def _look(self) -> None:
        can_extend = self._sandbox.capabilities.extend and self._idle_timeout_s != 0
        if self._sandbox.is_paused or not (can_extend or self._on_idle == "pause"):
            return
        if self._is_busy():
            self._active_at = time.monotonic()
        active_at = max(self._active_at, self._connection.called_at)
        is_idle = (
            self._idle_timeout_s is not None
            and time.monotonic() - active_at >= self._idle_timeout_s
        )
        if not is_idle:
            if can_extend:
                self._sandbox.extend(EXTENSION_S)
        elif self._on_idle == "pause":
            logger.info("sandbox %s is idle: pausing it", self._sandbox.ref.id)
            self._sandbox.pause()

    def _is_busy(self) -> bool:
        cursor: str | None = None
        while True:
            # Past `Connection.call`: looking is no use, and wakes nothing.
            page = self._connection.transport.call(
                calls.list_page(limit=PAGE_SESSIONS, cursor=cursor, status=sorted(BUSY_STATUSES)),
                wakes=False,
            )
            if any(info.status in BUSY_STATUSES for info in page.sessions):
                return True
            cursor = page.next_cursor
            if cursor is None:
                return False
