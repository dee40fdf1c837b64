"""All turns of a session: where each is in the log, when it was, and what it was about. Read from the log once; later only
what was added since."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sandbox_agent_core.api.turns import TurnSummary
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.turn_summaries import turn_after

from sandbox_agent_server.jsonio import loads
from sandbox_agent_server.log.file import Place
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.turn_lookup import HEAD_BYTES, UPDATE

__all__ = ["TurnIndex"]

_SESSIONS: Final = 64
"""Whose turns are remembered."""
_READ_BYTES: Final = 1024 * 1024
_OF_A_TURN: Final = b'"turnId":"'


@dataclass(slots=True)
class _Known:
    inode: int
    """Of the file: a session that was purged and made anew has another."""
    offset: int = 0
    turns: dict[str, TurnSummary] = field(default_factory=dict)
    """In the order in which they were accepted."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class TurnIndex:
    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def turns(self, log: SessionLog) -> list[TurnSummary]:
        """All of them, oldest first. Raises: StorageError."""
        known = self._known.get(log.session_id)
        inode = _inode_of(log)
        if known is None or known.inode != inode or known.offset > log.file.size_bytes:
            known = self._known[log.session_id] = _Known(inode)
        self._known.move_to_end(log.session_id)
        while len(self._known) > _SESSIONS:
            self._known.popitem(last=False)
        async with known.lock:
            if known.offset < log.file.size_bytes:
                await asyncio.to_thread(_read_on, known, log)
            return [*known.turns.values()]


def _inode_of(log: SessionLog) -> int:
    try:
        return log.file.path.stat().st_ino
    except OSError:
        return 0


def _read_on(known: _Known, log: SessionLog) -> None:
    """Blocks. Raises: StorageError."""
    file = log.file
    try:
        while lines := file.read(Place(1, known.offset), max_bytes=_READ_BYTES):
            for line in lines:
                head = line[:HEAD_BYTES]
                if _OF_A_TURN in head and UPDATE not in head:
                    _take(known.turns, log.session_id, line)
            known.offset += sum(map(len, lines)) + len(lines)
    except OSError as exc:
        raise StorageError(f"cannot read the log {str(file.path)!r}: {exc}") from exc


def _take(turns: dict[str, TurnSummary], session_id: str, line: bytes) -> None:
    try:
        event = project(LogEntry.from_wire(session_id, loads(line)))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return  # a damaged line is none
    if event is not None and event.turn_id is not None:
        turn = turn_after(turns.get(event.turn_id), event)
        if turn is not None:
            turns[turn.id] = turn
