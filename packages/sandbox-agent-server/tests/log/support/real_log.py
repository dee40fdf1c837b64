"""A log on the disk, written to and read in few words."""

from __future__ import annotations

from pathlib import Path

from log_lines import draft
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_server.log.durability import Durability, Syncer
from sandbox_agent_server.log.entry import Entry
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.step import Step

__all__ = ["note", "open_log", "read_all", "said", "say", "step_of", "words"]

WORD = "_acme/word"


def open_log(
    directory: Path, *, quota: Quota | None = None, durability: Durability = "process"
) -> SessionLog:
    return SessionLog(
        "ses_1", directory / "ses_1", quota=quota or Quota(), syncer=Syncer(durability)
    )


def step_of(log: SessionLog, *said: str) -> Step:
    step = Step(log.next_seq, log.now_ms)
    for word in said:
        step.append(draft("server", notification(WORD, {"word": word}), method=WORD))
    return step


def say(log: SessionLog, *said: str) -> None:
    log.append(step_of(log, *said))


def note(entry: LogEntry) -> str:
    """What an entry says: its word, or its method."""
    return str(entry.payload.get("params", {}).get("word") or entry.method)


def words(entries: list[Entry]) -> list[str]:
    return [note(entry.to_log_entry("ses_1")) for entry in entries]


async def read_all(log: SessionLog, after: int = 0) -> list[Entry]:
    cursor, found = Cursor(log, after), []
    while entries := await cursor.read():
        found += entries
    return found


async def said(log: SessionLog, after: int = 0) -> list[str]:
    """What the log says, to who reads it."""
    return words(await read_all(log, after))
