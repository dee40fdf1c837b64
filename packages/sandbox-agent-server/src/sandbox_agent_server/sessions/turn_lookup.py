"""What a log says of one turn. Turns have no index: their lines are found by the id that stands in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sandbox_agent_core.api.turns import TurnInfo
from sandbox_agent_core.errors import StorageError, TurnNotFound
from sandbox_agent_core.events import (
    Event,
    TurnDropped,
    TurnEnded,
    TurnQueued,
    TurnStarted,
    UsageUpdated,
)
from sandbox_agent_core.frames import LogEntry, acp
from sandbox_agent_core.projection import project

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.log.file import LogFile, Place
from sandbox_agent_server.log.log import SessionLog

__all__ = ["HEAD_BYTES", "UPDATE", "entries_with", "look_up_turn", "look_up_turns"]

_READ_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 512
"""Of a line: what stands before its payload."""
_AT_THE_END: Final = ("error", "limit", "usage", "cost", "model_calls", "output")
UPDATE: Final = b'"method":"%b"' % acp.SESSION_UPDATE.encode()


async def look_up_turn(log: SessionLog, turn_id: str) -> TurnInfo:
    """Raises: TurnNotFound; StorageError when the log cannot be read."""
    (found,) = await look_up_turns(log, [turn_id])
    return found


async def look_up_turns(log: SessionLog, turn_ids: Iterable[str]) -> list[TurnInfo]:
    """In the order of the ids. Raises as `look_up_turn`."""
    wanted = list(turn_ids)
    return await asyncio.to_thread(_look_up, log, wanted) if wanted else []


def _look_up(log: SessionLog, turn_ids: list[str]) -> list[TurnInfo]:
    told: dict[str, dict[str, Any]] = {id: {} for id in turn_ids}
    try:
        for entry in _entries_of(log, turn_ids):
            event = project(entry)
            if event is not None and (turn := told.get(event.turn_id or "")) is not None:
                _read(turn, event)
    except OSError as exc:
        raise StorageError(f"cannot read the log {str(log.file.path)!r}: {exc}") from exc
    for turn_id, turn in told.items():
        if not turn:
            raise TurnNotFound(
                f"session {log.session_id!r} has no turn {turn_id!r}; prompts answer with the id of theirs",
                sessionId=log.session_id,
                turnId=turn_id,
            )
    return [
        TurnInfo(id=id, session_id=log.session_id, **{"status": "running", **told[id]})
        for id in turn_ids
    ]


def _read(turn: dict[str, Any], event: Event) -> None:
    at = event.to_wire()["time"]
    match event:
        case TurnQueued():
            turn |= {"status": "queued", "origin": event.origin, "queued_at": at}
        case TurnStarted():
            turn |= {"status": "running", "origin": event.origin, "started_at": at}
        case TurnEnded():
            turn |= {"status": "ended", "stop_reason": event.stop_reason, "ended_at": at}
            turn |= {name: getattr(event, name) for name in _AT_THE_END}
        case TurnDropped():
            reason = "cancelled" if event.reason == "cancelled" else "interrupted"
            turn |= {"status": "ended", "stop_reason": reason, "ended_at": at, "limit": event.limit}
        case UsageUpdated(turn=used) if used is not None:
            turn |= {name: getattr(used, name) for name in used.model_fields_set}
        case _:
            return
    turn.setdefault("seq", event.seq - 1)


def _entries_of(log: SessionLog, turn_ids: list[str]) -> Iterator[LogEntry]:
    """Those of the turns, but for what was streamed. Raises: OSError."""
    return _marked(log, [b'"turnId":%b' % dumps(id) for id in turn_ids], UPDATE)


def entries_with(log: SessionLog, marks: list[bytes]) -> Iterator[LogEntry]:
    """Those that have one of the marks before their payload. Blocks. Raises: StorageError."""
    try:
        yield from _marked(log, marks)
    except OSError as exc:
        raise StorageError(f"cannot read the log {str(log.file.path)!r}: {exc}") from exc


def _marked(
    log: SessionLog, marks: list[bytes], unwanted: bytes | None = None
) -> Iterator[LogEntry]:
    """Lines that are damaged are none. Raises: OSError."""
    for line in _lines(log.file):
        head = line[:HEAD_BYTES]
        if unwanted is not None and unwanted in head:
            continue
        if not any(mark in head for mark in marks):
            continue
        try:
            yield LogEntry.from_wire(log.session_id, loads(line))
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue


def _lines(file: LogFile) -> Iterator[bytes]:
    offset = 0
    while lines := file.read(Place(1, offset), max_bytes=_READ_BYTES):
        yield from lines
        offset += sum(map(len, lines)) + len(lines)
