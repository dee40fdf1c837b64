"""One server's log of a session on its way into a store, for whoever reads that log: a client, or the server itself.

Where it goes on is asked of the store, under a lease, whenever it is opened: so neither a death nor a second writer can
make it lose or double anything. Reading, waiting and trying again are the caller's.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import (
    LeaseLost,
    SandboxAgentError,
    SessionNotFound,
    SessionOwned,
    StorageError,
)
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import (
    Lease,
    SessionRecord,
    SupportsLeases,
    TranscriptStore,
)
from sandbox_agent_core.stores.records import SEGMENTS, record_after
from sandbox_agent_core.stores.segments import (
    Segment,
    current_segment,
    read_segments,
    write_segments,
)

__all__ = [
    "BATCH_ENTRIES",
    "BATCH_S",
    "LEASE_TTL_S",
    "RENEW_AFTER_S",
    "LogWriter",
    "Retries",
    "new_holder",
    "stored_seq",
]

BATCH_ENTRIES: Final = 500
"""Written at once, and all that is held in memory of what a store has not taken: the server's log has the rest."""
BATCH_S: Final = 0.05
"""How long entries wait for more of them."""
LEASE_TTL_S: Final = 15.0
"""How long a session stays its writer's that died without letting go."""
RENEW_AFTER_S: Final = LEASE_TTL_S / 3
FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 10.0


def new_holder() -> str:
    """Of leases: another one for every writer, which says where it runs."""
    return f"{platform.node()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(slots=True)
class _Opened:
    record: SessionRecord
    """As it should be."""
    stored: SessionRecord | None
    """As it is. An entry brings it up to date: a session that says nothing any more may have been deleted."""
    segment: Segment
    next_seq: int
    """Of the server's log."""
    lease: Lease | None
    """None: the store has none."""
    renew_at: float


class LogWriter:
    """Opened by `next_seq`, and again after a lease was lost. For one task at a time."""

    def __init__(
        self,
        store: TranscriptStore,
        info: SessionInfo,
        *,
        holder: str,
        sandbox: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sandbox`: `SandboxRef.to_json()` of where it runs, if that is known."""
        self._store = store
        self._info = info
        self._holder = holder
        self._sandbox = sandbox
        self._clock = clock
        self._opened: _Opened | None = None

    @property
    def is_open(self) -> bool:
        """Nobody else writes the session, as far as is known."""
        return self._opened is not None

    async def next_seq(self) -> int:
        """The first entry of the server's log that is not stored.

        Raises:
            SessionOwned: another one writes the session.
            StorageError: the store failed.
        """
        if self._opened is None:
            self._opened = await self._open()
        return self._opened.next_seq

    async def write(self, entries: Sequence[LogEntry]) -> None:
        """Those from `next_seq` on, in the numbers of the server's log.

        Raises:
            LeaseLost: another one writes the session now. `next_seq` opens it again.
            StorageError: the store failed. It may have them nevertheless; writing them again is harmless.
        """
        opened = self._opened
        if opened is None or not entries:
            return
        record = opened.record
        for entry in entries:
            record = record_after(record, entry)
        stored = [replace(one, seq=opened.segment.stored_seq(one.seq)) for one in entries]
        try:
            # Before the entries: who finds the record ahead of them writes it once more, and nobody finds it behind.
            if record != opened.stored:
                await self._store.put_session(record, lease=opened.lease)
                opened.record = opened.stored = record
            await self._store.append(self._info.id, stored, lease=opened.lease)
        except LeaseLost:
            self._opened = None
            raise
        except SessionNotFound as exc:
            self._opened = None
            raise StorageError(exc.message, **exc.details) from exc
        opened.next_seq = entries[-1].seq + 1

    async def tend(self) -> None:
        """Renew the lease, when it is time. To be called every `RENEW_AFTER_S`. Raises: LeaseLost, StorageError."""
        opened = self._opened
        if opened is None or opened.lease is None or self._clock() < opened.renew_at:
            return
        assert isinstance(self._store, SupportsLeases)
        try:
            opened.lease = await self._store.renew_lease(opened.lease, ttl_s=LEASE_TTL_S)
        except LeaseLost:
            self._opened = None
            raise
        opened.renew_at = self._clock() + RENEW_AFTER_S

    async def close(self) -> None:
        """Let others write the session. Raises: StorageError: they have to wait until the lease lapses."""
        opened, self._opened = self._opened, None
        if opened is not None and opened.lease is not None:
            assert isinstance(self._store, SupportsLeases)
            await self._store.release_lease(opened.lease)

    async def _open(self) -> _Opened:
        store, info = self._store, self._info
        lease = None
        if isinstance(store, SupportsLeases):
            lease = await store.acquire_lease(info.id, holder=self._holder, ttl_s=LEASE_TTL_S)
        renew_at = self._clock() + RENEW_AFTER_S
        known = await store.get_session(info.id)
        last = await store.last_seq(info.id)
        record = known or SessionRecord(
            id=info.id, agent=info.agent, created_at=info.created_at, cwd=info.cwd
        )
        segments = read_segments(record.settings)
        current = current_segment(segments, created_at=info.created_at, last_stored=last)
        if current not in segments:
            segments.append(current)
        settings = record.settings | {SEGMENTS: write_segments(segments)}
        sandbox = self._sandbox or record.sandbox
        return _Opened(
            replace(record, agent=info.agent, settings=settings, sandbox=sandbox),
            known,
            current,
            current.server_seq(last) + 1,
            lease,
            renew_at,
        )


async def stored_seq(store: TranscriptStore, info: SessionInfo) -> int:
    """The last entry of this server's log that the store has, whoever wrote it. Raises: StorageError."""
    record = await store.get_session(info.id)
    if record is None:
        return 0
    last = await store.last_seq(info.id)
    segments = read_segments(record.settings)
    current = current_segment(segments, created_at=info.created_at, last_stored=last)
    return current.server_seq(last)


class Retries:
    """When to try again what a store refused, and what to say of it: a thing once, until it has worked again."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: str | None = None
        self._delay_s = FIRST_RETRY_S

    @property
    def is_failing(self) -> bool:
        return self._said is not None

    def after(self, exc: SandboxAgentError) -> float:
        """Seconds to wait."""
        if self._said != exc.code:
            self._said = exc.code
            self._say(_told(exc))
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, LAST_RETRY_S if not _is_owned(exc) else RENEW_AFTER_S)
        return delay_s

    def worked(self) -> None:
        self._said = None
        self._delay_s = FIRST_RETRY_S


def _is_owned(exc: SandboxAgentError) -> bool:
    return isinstance(exc, (SessionOwned, LeaseLost))


def _told(exc: SandboxAgentError) -> str:
    if _is_owned(exc):
        return f"not written from here: {exc.message}"
    return f"not stored yet, and tried again: {exc.message}"
