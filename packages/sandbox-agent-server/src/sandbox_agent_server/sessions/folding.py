"""The transcript of a log, with what is being streamed at its end."""

from __future__ import annotations

import asyncio

from sandbox_agent_core.view import LogFolder, Transcript

from sandbox_agent_server.log.entry import Entry
from sandbox_agent_server.log.log import Cursor, SessionLog

__all__ = ["fold_log"]


async def fold_log(log: SessionLog, *, until_seq: int | None = None) -> Transcript:
    """The transcript as of now, or of an entry. What is being said is in it, as far as it was said."""
    folder = LogFolder()
    cursor, last = Cursor(log, 0), log.last_seq if until_seq is None else until_seq
    while cursor.after < last and (entries := await cursor.read()):
        wanted = [entry for entry in entries if entry.seq <= last]
        await asyncio.to_thread(_apply, folder, wanted, log.session_id)
    return folder.transcript()


def _apply(folder: LogFolder, entries: list[Entry], session_id: str) -> None:
    for entry in entries:
        folder.apply(entry.to_log_entry(session_id))
