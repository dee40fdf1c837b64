"""Copies a session's log into a store, so that it outlives the sandbox."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import SessionRecord, TranscriptStore
from sandbox_agent_core.stores.segments import (
    Segment,
    current_segment,
    read_segments,
    write_segments,
)

from sandbox_agent_client._async._backend import Lock, Portal

__all__ = ["Recorder", "open_recorder"]

logger = logging.getLogger(__name__)

FLUSH_ENTRIES = 128
"""Entries held back to store them together. After a crash they are still in the server's log."""

History = Callable[[int], AsyncIterator[LogEntry]]


class Recorder:
    """Takes entries from any stream in any order; stores them in order and without gaps."""

    def __init__(
        self,
        store: TranscriptStore,
        portal: Portal,
        record: SessionRecord,
        segment: Segment,
        *,
        stored_seq: int,
        history: History,
    ) -> None:
        """`history` reads the server's log after a cursor; `stored_seq` is the last one in the store."""
        self.record = record
        self._store = store
        self._portal = portal
        self._segment = segment
        self._history = history
        self._next = segment.server_seq(stored_seq) + 1
        self._held: list[LogEntry] = []
        self._is_deleted = False
        self._lock = Lock()

    async def observe(self, entry: LogEntry) -> None:
        """Store it if it is the next one. What is missing before it, `sync` will fetch."""
        if entry.seq < self._next:
            return
        async with self._lock:
            try:
                await self._take(entry)
            except StorageError as exc:
                logger.warning("session %s: not stored yet: %s", self.record.id, exc)

    async def sync(self) -> None:
        """Everything that is in the server's log now is in the store.

        Raises:
            StorageError: the store could not be written; a later call tries again.
            SandboxAgentError: the server could not be read.
        """
        async with self._lock:
            if self._is_deleted:
                return
            async for entry in self._history(self._next - 1):
                await self._take(entry)
            await self._flush()

    async def put_ended(self, ended_at: str | None) -> None:
        self.record = replace(self.record, ended_at=ended_at)
        await self._portal.run(lambda: self._store.put_session(self.record))

    async def delete(self) -> None:
        """What is stored is deleted, and nothing more is stored, whatever streams still carry."""
        async with self._lock:
            await self._portal.run(lambda: self._store.delete_session(self.record.id))
            self._is_deleted = True

    async def _take(self, entry: LogEntry) -> None:
        if self._is_deleted or entry.seq != self._next:
            return
        self._held.append(replace(entry, seq=self._segment.stored_seq(entry.seq)))
        self._next += 1
        if len(self._held) >= FLUSH_ENTRIES:
            await self._flush()

    async def _flush(self) -> None:
        held, self._held = self._held, []
        if not held:
            return
        try:
            await self._portal.run(lambda: self._store.append(self.record.id, held))
        except BaseException:
            # Not stored, so not counted: the next `sync` reads them from the server again.
            self._next = self._segment.server_seq(held[0].seq)
            raise


async def open_recorder(
    store: TranscriptStore,
    portal: Portal,
    info: SessionInfo,
    *,
    settings: Mapping[str, Any] | None,
    history: History,
) -> Recorder:
    """The recorder of a session that its server knows. `settings` None: keep what is stored."""
    record = await portal.run(lambda: store.get_session(info.id))
    last = await portal.run(lambda: store.last_seq(info.id))
    segments = read_segments(record.settings) if record is not None else []
    current = current_segment(segments, created_at=info.created_at, last_stored=last)
    if current not in segments:
        segments.append(current)
    kept = dict(record.settings if record is not None and settings is None else settings or {})
    record = SessionRecord(
        id=info.id,
        agent=info.agent,
        created_at=record.created_at if record is not None else info.created_at,
        cwd=info.cwd,
        ended_at=info.ended_at,
        settings=kept | {"segments": write_segments(segments)},
    )
    await portal.run(lambda: store.put_session(record))
    return Recorder(store, portal, record, current, stored_seq=last, history=history)
