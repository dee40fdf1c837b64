"""Reading a stored session, all of its sandboxes' logs as one, and making it again in a new sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from sandbox_agent_core.events import SessionCreated
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.stores.records import SETTINGS
from sandbox_agent_core.view import Transcript, TranscriptFolder, render_context

__all__ = ["new_context", "read_entries", "read_transcript"]

PAGE_ENTRIES = 1000
REPLAY_MAX_EVENTS = 200
"""How much of the history a resumed agent is told: the newest messages, tool calls and so on …"""
REPLAY_MAX_CHARS = 24_000
"""… and not more than this, about 6 000 tokens."""


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


async def _inherited(store: TranscriptStore, session_id: str) -> str:
    """What a fork knows of the session that it comes from."""
    for entry in await store.entries(session_id, after=0, limit=1):
        event = project(entry)
        if isinstance(event, SessionCreated) and event.forked_from is not None:
            return event.context or ""
    return ""


async def new_context(store: TranscriptStore, session_id: str) -> dict[str, Any] | None:
    """The members of the `CreateSession` that continues a stored session; None when it is not stored."""
    record = await store.get_session(session_id)
    if record is None:
        return None
    transcript = await read_transcript(store, session_id)
    own = render_context(transcript, max_events=REPLAY_MAX_EVENTS, max_chars=REPLAY_MAX_CHARS)
    context = "\n\n".join(filter(None, (await _inherited(store, session_id), own)))
    settings = {name: value for name, value in record.settings.items() if name in SETTINGS}
    members = {"id": session_id, "agent": record.agent, "cwd": record.cwd, "context": context}
    return {name: value for name, value in (members | settings).items() if value}
