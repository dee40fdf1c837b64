"""Lines of a log to entries. What is damaged is said in its place, so that a bad disk costs a reader one line
and not all that follow it."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import notification

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.log.entry import Draft, Entry, LineEncoder
from sandbox_agent_server.log.file import LogFile, Place

__all__ = ["last_seq_at", "read_entries"]

_SLICE_BYTES: Final = 256 * 1024

_A_DATE: Final = (
    rb"20\d\d-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    rb"|20(?:[02468][048]|[13579][26])-02-29"
)
"""A day that there is: what is damaged must not name another."""
_A_TIME: Final = rb'"time":"((?:' + _A_DATE + rb')T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z)"'
_HEAD: Final = re.compile(
    rb'\{"seq":(\d{1,15}),' + _A_TIME + rb',"sender":"(?:agent|client|server)",'
)
_TIME: Final = re.compile(_A_TIME)
_NUMBERED: Final = re.compile(
    rb'\{"seq":(\d{1,15}),"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"'
)
_UNKNOWN_TIME: Final = b"1970-01-01T00:00:00.000Z"


def read_entries(
    file: LogFile, session_id: str, place: Place, *, limit: int, max_bytes: int
) -> tuple[list[Entry], Place]:
    """The next entries from a place on, without a gap, and the place behind them. None: the place is the end.
    Blocks.

    Raises:
        OSError: the file cannot be read.
    """
    entries: list[Entry] = []
    while not entries and place.offset < file.size_bytes:
        lines = file.read(place, max_bytes=max_bytes)
        if not lines:
            break
        entries, place = _entries_of(file, session_id, place, lines, limit)
    return entries, place


def last_seq_at(file: LogFile, time_ms: int) -> int:
    """Of the last entry that is no younger; 0 when all are. Blocks.

    Raises:
        OSError: the file cannot be read.
    """
    if time_ms < 0 or not file.size_bytes:
        return 0
    latest = rfc3339(time_ms).encode()
    places = file.places()
    position = bisect_right(places, latest, key=lambda place: _time_at(file, place))
    place = places[max(0, position - 1)]
    seq, offset = place.seq - 1, place.offset
    while offset < file.size_bytes:
        lines = file.read(Place(seq + 1, offset), max_bytes=_SLICE_BYTES)
        if not lines:
            break
        for line in lines:
            # What is damaged belongs to what is before it.
            if (head := _NUMBERED.match(line)) is not None:
                if head[2] > latest:
                    return int(head[1]) - 1
                seq = int(head[1])
            offset += len(line) + 1
    return file.last_seq


def _time_at(file: LogFile, place: Place) -> bytes:
    """Empty for what is no entry."""
    lines = file.read(place, max_bytes=1)
    head = _NUMBERED.match(lines[0]) if lines else None
    return head[2] if head is not None else b""


def _entries_of(
    file: LogFile, session_id: str, place: Place, lines: list[bytes], limit: int
) -> tuple[list[Entry], Place]:
    entries: list[Entry] = []
    own = [_seq_of(session_id, line) for line in lines]
    seq, offset = place.seq, place.offset
    lost: list[bytes] = []
    """Lines since the last entry. How many entries they were, the next one tells: damage may take the end of a
    line, or make one."""
    for number, line in enumerate(lines):
        found, following = own[number], own[number + 1 : number + 2]
        end = offset + len(line) + 1
        if found is not None and found != seq:
            if not following and number and end < file.size_bytes:
                break  # whether it can be believed, its successor tells
            if not seq < found <= file.last_seq or following not in ([], [None], [found + 1]):
                found = None
        if found is None:
            lost.append(line)
            offset = end
            continue
        while seq < found and len(entries) < limit:
            entries.append(_damaged(seq, lost))
            seq, lost = seq + 1, []
        if len(entries) == limit:
            break
        entries.append(Entry(seq, line))
        seq, offset, lost = seq + 1, end, []
    return entries, Place(seq, offset)


def _seq_of(session_id: str, line: bytes) -> int | None:
    """None when the line is no entry."""
    try:
        wire = loads(line)
        # What begins as we write it and is JSON is an entry: looking costs less than reading it once more.
        if (head := _HEAD.match(line)) is not None and type(wire.get("payload")) is dict:
            return int(head[1])
        return LogEntry.from_wire(session_id, wire).seq
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _damaged(seq: int, lost: list[bytes]) -> Entry:
    size = sum(map(len, lost))
    reason = "it is no entry" if lost else "it is missing"
    frame = notification(extensions.LOG_DAMAGED, {"lostBytes": size, "reason": reason})
    draft = Draft("server", dumps(frame), frame, method=extensions.LOG_DAMAGED)
    known = _TIME.search(lost[0], 0, 256) if lost else None
    return Entry(seq, LineEncoder().encode(draft, seq, known[1] if known else _UNKNOWN_TIME))
