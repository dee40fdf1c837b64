"""The earlier conversation as text, for an agent that cannot load it by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sandbox_agent_core.content import CONTEXT_META
from sandbox_agent_core.events import UniversalEvent
from sandbox_agent_core.projection import is_delta, project
from sandbox_agent_core.view import Transcript, TranscriptFolder, render_context

from sandbox_agent_server.sessions.feed import SessionLog

__all__ = [
    "REPLAY_MAX_CHARS",
    "REPLAY_MAX_EVENTS",
    "context_block",
    "fold_log",
    "instructions_text",
    "replay_text",
]

REPLAY_MAX_EVENTS = 200
REPLAY_MAX_CHARS = 24_000
_PAGE = 512
_PAGE_BYTES = 4 * 1024 * 1024


def context_block(text: str) -> dict[str, object]:
    """A block that a person did not type: it is not shown as part of the prompt."""
    return {"type": "text", "text": text, "_meta": {CONTEXT_META: True}}


def instructions_text(system_prompt: str) -> str:
    """A system prompt for an agent that has no place for one."""
    return (
        "Whoever set up this session gave these instructions. They hold for all of it:\n\n"
        f"<instructions>\n{system_prompt}\n</instructions>"
    )


async def replay_text(log: SessionLog, session_id: str) -> str:
    """The newest part of the conversation, bounded in events and characters; empty when there is none."""
    transcript = await fold_log(log, session_id)
    return render_context(transcript, max_events=REPLAY_MAX_EVENTS, max_chars=REPLAY_MAX_CHARS)


async def fold_log(log: SessionLog, session_id: str) -> Transcript:
    """The transcript as of now."""
    folder = TranscriptFolder()
    async for event in _events(log, session_id):
        folder.apply(event)
    return folder.transcript


async def _events(log: SessionLog, session_id: str) -> AsyncIterator[UniversalEvent]:
    after, last = 0, log.last_seq
    while after < last:
        for entry in log.page(after, limit=_PAGE, max_bytes=_PAGE_BYTES):
            after = entry.seq
            event = project(entry.to_log_entry(session_id))
            # Completions carry the whole, unless the item is still being streamed.
            if event is not None and not is_delta(event.type):
                yield event
        await asyncio.sleep(0)
