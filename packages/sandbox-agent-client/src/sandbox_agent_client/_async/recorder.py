"""Copies a session's log into a store, so that it outlives the sandbox. In the background: nothing waits for a store."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import (
    LeaseLost,
    SandboxAgentError,
    SessionOwned,
    StorageError,
)
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.stores.writing import (
    BATCH_ENTRIES,
    BATCH_S,
    LEASE_TTL_S,
    RENEW_AFTER_S,
    LogWriter,
    Retries,
    stored_seq,
)

from sandbox_agent_client._async._backend import Background, Event, Portal, finish

__all__ = ["CLOSE_TIMEOUT_S", "Recorder", "Sync"]

logger = logging.getLogger(__name__)

SYNC_TIMEOUT_S = 2.0
"""How long the end of a prompt waits for a store. One that takes longer is not waited for until it has caught up."""
CLOSE_TIMEOUT_S = 2 * LEASE_TTL_S
"""How long the end of a client does: a session whose writer has died is nobody's after the half of it, and one whose
writer lives is its."""
OTHER_POLL_S = 0.05
"""How often another writer is looked after, while somebody waits for it."""

LET_GO_TIMEOUT_S = 2.0
"""For giving a lease back; otherwise it lapses."""

History = Callable[[int], AsyncGenerator[LogEntry, None]]


class Sync:
    """Somebody waits for it."""

    def __init__(self) -> None:
        self.over = Event()
        self.is_stored = False

    def end(self, *, is_stored: bool) -> None:
        self.is_stored = is_stored
        self.over.set()


class Recorder:
    """Takes entries from any stream in any order; stores them in order and without gaps."""

    def __init__(
        self,
        store: TranscriptStore,
        portal: Portal,
        info: SessionInfo,
        *,
        holder: str,
        sandbox: Mapping[str, Any] | None,
        history: History,
    ) -> None:
        """`history` reads the server's log after a cursor."""
        self.info = info
        self.idle_s: float | None = None
        """After so long without an entry others may write the session; None: only after `stop`."""
        self.on_stored: Callable[[SessionInfo, int], object] | None = None
        """Told after each batch: of which session, and how many entries."""
        self._written_at = time.monotonic()
        self._store = store
        self._portal = portal
        self._writer = LogWriter(store, info, holder=holder, sandbox=sandbox)
        self._history = history
        self._retries = Retries(self._say)
        self._retry_s: float | None = None
        self._held: deque[LogEntry] = deque()
        """Told of and not stored; what has no room is read from the server."""
        self._is_behind = False
        """The server has what was not told of, or had no room."""
        self._waiting: deque[Sync] = deque()
        self._is_late = False
        self._others_lease: tuple[Any, Any] | None = None
        self._wake = Event()
        self._hurry = Event()
        """Entries need not wait for more of them."""
        self._is_ending = False
        self._background = Background(f"sandbox-agent recorder of {info.id}", self._run)

    @property
    def is_others(self) -> bool:
        """Another one writes the session, and lives."""
        return self._others_lease is not None

    def observe(self, entry: LogEntry) -> None:
        """Store it, some time. Waits for nothing."""
        if len(self._held) >= BATCH_ENTRIES:
            self._is_behind = True
        else:
            self._held.append(entry)
            if len(self._held) == BATCH_ENTRIES:
                self._hurry.set()
        self._wake.set()

    def catch_up(self) -> None:
        """What the server has is to be stored, though nobody follows it. Waits for nothing."""
        self._is_behind = True
        self._wake.set()

    def begin_sync(self) -> Sync:
        """Everything that is in the server's log now is to be stored at once."""
        wanted = Sync()
        self._waiting.append(wanted)
        self._hurry.set()
        self._wake.set()
        return wanted

    async def sync(self) -> bool:
        """All that the server has is stored: True. False: the store is too slow, or failing, or another one's."""
        if self._is_late:
            self.catch_up()
            return False
        wanted = self.begin_sync()
        await wanted.over.wait(SYNC_TIMEOUT_S)
        self._is_late = not wanted.is_stored
        return wanted.is_stored

    async def stop(self) -> None:
        """Nothing more is stored; others may write the session."""
        self._is_ending = True
        self._hurry.set()
        self._wake.set()
        await self._background.stop()

    # In the background

    async def _run(self) -> None:
        try:
            while not self._is_ending:
                await self._wake.wait(self._pause_s())
                self._wake.clear()
                if not self._waiting:
                    await self._hurry.wait(BATCH_S)
                self._hurry.clear()
                if not self._is_ending:
                    await self._turn()
        finally:
            await self._let_go()

    def _pause_s(self) -> float | None:
        if self._waiting and self._retry_s is not None:
            return OTHER_POLL_S
        if self._retry_s is not None:
            return self._retry_s
        return RENEW_AFTER_S if self._writer.is_open else None

    async def _turn(self) -> None:
        """One attempt, and word of it to those who wait."""
        waiting = len(self._waiting)
        try:
            await self._store_all(with_history=waiting > 0)
        except (SessionOwned, LeaseLost) as exc:
            self._retry_s = self._retries.after(exc)
            self._is_behind = True
            if waiting and await self._is_stored_by_other():
                self._tell(waiting, is_stored=True)
            elif waiting and self._is_renewed(exc):
                self._tell(waiting, is_stored=False)
        except SandboxAgentError as exc:
            self._is_behind = True
            # A server is not called for this: that could wake its sandbox, or keep it awake.
            retry_s = self._retries.after(exc)
            self._retry_s = retry_s if isinstance(exc, StorageError) else None
            self._tell(waiting, is_stored=False)
        else:
            self._retry_s = self._others_lease = None
            self._is_late = False
            self._retries.worked()
            self._tell(waiting, is_stored=True)

    async def _store_all(self, *, with_history: bool) -> None:
        """Raises: SessionOwned, LeaseLost, StorageError; and what reading the server raises."""
        after = await self._portal.run(self._writer.next_seq) - 1
        while batch := self._told_after(after):
            await self._write(batch)
            after = batch[-1].seq
        if with_history or self._is_behind:
            self._is_behind = False
            batch = []
            async with aclosing(self._history(after)) as entries:
                async for entry in entries:
                    batch.append(entry)
                    if len(batch) == BATCH_ENTRIES:
                        await self._write(batch)
                        batch = []
            await self._write(batch)
        is_idle = self.idle_s is not None and time.monotonic() - self._written_at >= self.idle_s
        await self._portal.run(self._writer.close if is_idle else self._writer.tend)

    async def _write(self, batch: list[LogEntry]) -> None:
        await self._portal.run(lambda: self._writer.write(batch))
        if batch:
            self._written_at = time.monotonic()
            if self.on_stored is not None:
                self.on_stored(self.info, len(batch))

    def _told_after(self, after: int) -> list[LogEntry]:
        """The next entries, of those that it was told of."""
        batch: list[LogEntry] = []
        while self._held and len(batch) < BATCH_ENTRIES:
            entry = self._held.popleft()
            missing = entry.seq - (after + len(batch) + 1)
            if missing == 0:
                batch.append(entry)
            elif missing > 0:
                self._is_behind = True
        return batch

    def _is_renewed(self, exc: SandboxAgentError) -> bool:
        """The other one lives, and will store the rest in its own time."""
        lease = exc.details.get("holder"), exc.details.get("expiresAt")
        seen, self._others_lease = self._others_lease, lease
        return seen is not None and seen[0] == lease[0] and seen[1] != lease[1]

    async def _is_stored_by_other(self) -> bool:
        try:
            after = await self._portal.run(lambda: stored_seq(self._store, self.info))
            async with aclosing(self._history(after)) as entries:
                async for _ in entries:
                    return False
        except SandboxAgentError:
            return False
        return True

    def _tell(self, waiting: int, *, is_stored: bool) -> None:
        for _ in range(waiting):
            self._waiting.popleft().end(is_stored=is_stored)

    async def _let_go(self) -> None:
        self._tell(len(self._waiting), is_stored=False)
        try:
            release = partial(self._portal.run, self._writer.close)
            await finish(release, timeout_s=LET_GO_TIMEOUT_S)
        except (StorageError, TimeoutError) as exc:
            logger.debug("session %s: the lease lapses by itself: %s", self.info.id, exc)

    def _say(self, text: str) -> None:
        logger.warning("session %s: %s", self.info.id, text)
