"""Reading a stored session: all of its sandboxes' logs as one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.view import Transcript, TranscriptFolder

__all__ = ["read_entries", "read_transcript"]

PAGE_ENTRIES = 1000


async def read_entries(
    store: TranscriptStore, session_id: str, *, after: int = 0
) -> AsyncIterator[LogEntry]:
    """Every stored entry after seq `after`."""
    while True:
        page = await store.entries(session_id, after=after, limit=PAGE_ENTRIES)
        for entry in page:
            yield entry
        if len(page) < PAGE_ENTRIES:
            return
        after = page[-1].seq


async def read_transcript(store: TranscriptStore, session_id: str) -> Transcript:
    """The session as people see it; an empty one when nothing is stored."""
    folder = TranscriptFolder()
    async for entry in read_entries(store, session_id):
        event = project(entry)
        if event is not None:
            folder.apply(event)
    return folder.transcript
