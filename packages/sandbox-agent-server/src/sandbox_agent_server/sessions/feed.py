"""Cursor readers: replay and live delivery are the same loop, so there is no seam to lose events in.

A reader is a cursor over the log, never a queue: a slow one falls back to reading from disk, and
costs no memory while it sleeps.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sandbox_agent_core.frames.entry import rfc3339

from sandbox_agent_server.store import Draft, LineEncoder, SessionRow, SqliteStore, StoredEntry

__all__ = ["SessionLog"]

_BATCH_BYTES = 512 * 1024
_BATCH_ENTRIES = 2048
_IDLE_RING_BYTES = 32 * 1024


class SessionLog:
    """One session's log: the only place that numbers entries, and the readers that follow it."""

    def __init__(self, store: SqliteStore, row: SessionRow, *, ring_bytes: int) -> None:
        self._store = store
        self._row = row
        # Whole appends, oldest first: what one commit added stays or goes together.
        self._ring: deque[tuple[Sequence[StoredEntry], int]] = deque()
        self._ring_size = 0
        self._ring_limit = ring_bytes
        self._bell = asyncio.Event()
        self._closed = False
        self._encoder = LineEncoder()
        self.last_seq = store.last_seq(row.key)
        self.last_time_ms = _time_of_last(store, row, self.last_seq)

    @property
    def next_seq(self) -> int:
        return self.last_seq + 1

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        save_row: bool = False,
        requests: Sequence[tuple[str, dict[str, Any], dict[str, Any] | None]] = (),
    ) -> None:
        """Number the drafts, commit them, then show them to readers.

        Raises:
            StorageError: nothing was written and nobody has seen anything; may be tried again.
        """
        # Never backwards, even when the machine's clock is set back.
        now = max(time.time_ns() // 1_000_000, self.last_time_ms)
        stamp = rfc3339(now).encode()
        encode = self._encoder.encode
        entries = [
            StoredEntry(seq, encode(draft, seq, stamp))
            for seq, draft in enumerate(drafts, start=self.next_seq)
        ]
        self._store.commit(
            self._row.key, entries, row=self._row if save_row else None, requests=requests
        )
        self.last_seq += len(entries)
        self.last_time_ms = now
        self._remember(entries)
        self._ring_bell()

    def page(self, after: int, *, limit: int, max_bytes: int) -> list[StoredEntry]:
        """Entries after a cursor, from memory when they are all there, else from disk."""
        if after >= self.last_seq:
            return []
        if self._ring and self._ring[0][0][0].seq <= after + 1:
            return self._page_from_ring(after, limit, max_bytes)
        return self._store.read(self._row.key, after, limit=limit, max_bytes=max_bytes)

    async def follow(self, after: int, *, heartbeat_s: float) -> AsyncIterator[list[StoredEntry]]:
        """Batches after a cursor, for ever: an empty one after `heartbeat_s` of silence.

        Ends when the log is closed (server shutdown) and everything was read.
        """
        while True:
            bell = self._bell  # taken before the look, so that a ring in between is not missed
            batch = self.page(after, limit=_BATCH_ENTRIES, max_bytes=_BATCH_BYTES)
            if batch:
                after = batch[-1].seq
                yield batch
                # Catching up from disk must not starve everybody else.
                await asyncio.sleep(0)
            elif self._closed:
                return
            else:
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await bell.wait()
                except TimeoutError:
                    yield []

    def rest(self) -> None:
        """Nothing runs in this session now: give the memory back."""
        self._shrink(_IDLE_RING_BYTES)

    def close(self) -> None:
        """Readers end once they have read everything."""
        self._closed = True
        self._ring_bell()

    def _ring_bell(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    def _remember(self, entries: Sequence[StoredEntry]) -> None:
        if not entries:
            return
        size = sum([entry.size_bytes for entry in entries])
        self._ring.append((entries, size))
        self._ring_size += size
        self._shrink(self._ring_limit)

    def _shrink(self, limit: int) -> None:
        while self._ring and self._ring_size > limit:
            self._ring_size -= self._ring.popleft()[1]

    def _page_from_ring(self, after: int, limit: int, max_bytes: int) -> list[StoredEntry]:
        page: list[StoredEntry] = []
        size = 0
        for entries, entries_size in self._ring:
            if entries[-1].seq <= after:
                continue
            rest = entries[max(0, after + 1 - entries[0].seq) :]
            if len(page) + len(rest) <= limit and size + entries_size <= max_bytes:
                page += rest
                size += entries_size
                continue
            for entry in rest[: limit - len(page)]:
                page.append(entry)
                size += len(entry.line)
                if size >= max_bytes:
                    break
            break
        return page


def _time_of_last(store: SqliteStore, row: SessionRow, last_seq: int) -> int:
    if last_seq == 0:
        return 0
    (last,) = store.read(row.key, last_seq - 1)
    return last.to_log_entry(row.id).time_ms
