"""What a process has written, for any number of readers, each with a cursor of its own.

The latest is in memory, the rest in the file. A reader that is slow reads from there; nobody waits for it, unless
the process was started to wait when its log is full.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from sandbox_agent_core.api.processes import ProcessGap, ProcessLogsStream, ProcessLogStream

from sandbox_agent_server.host.processes.output_file import (
    Entry,
    OutputFile,
    read_pieces,
)

__all__ = ["BATCH_BYTES", "Batch", "Output", "Pace", "is_of"]

logger = logging.getLogger(__name__)

What = TypeVar("What")
Found = TypeVar("Found")

_RECENT_BYTES: Final = 256 * 1024
_RECENT_ENTRIES: Final = 1024
BATCH_BYTES: Final = 256 * 1024
_TAIL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries without a gap between them, and the one before them, if there is one."""

    entries: list[Entry]
    cursor: int
    """The last sequence that it is about."""
    gap: ProcessGap | None = None


class Pace:
    """Of somebody who looks at a terminal: as long as anybody keeps up, the process runs; else it waits for the
    fastest."""

    def __init__(self, output: Output, lead_bytes: int) -> None:
        self._output = output
        self.lead_bytes = lead_bytes
        self.taken_bytes = output.size_bytes

    def taken(self, end: int) -> None:
        """All output up to there."""
        with self._output.may_make_room():
            self.taken_bytes = end

    def close(self) -> None:
        with self._output.may_make_room():
            self._output.paces.discard(self)


class Output:
    """Belongs to the event loop."""

    def __init__(
        self,
        file: OutputFile,
        *,
        name: str,
        last: Entry | None = None,
        is_ended: bool = False,
        waits_at_bytes: int | None = None,
    ) -> None:
        """`last`: of an earlier server. `waits_at_bytes`: so much that no reader has taken `is_full`."""
        self._file = file
        self._name = name
        self._recent: deque[Entry] = deque()
        self._recent_bytes = 0
        self._waits_at_bytes = waits_at_bytes
        self._taken_bytes = 0
        self._changed = asyncio.Event()
        self._has_failed = False
        self.last_sequence = last.sequence if last is not None else 0
        self.size_bytes = last.end if last is not None else 0
        """All that was ever written."""
        self.is_ended = is_ended
        """Nothing more comes."""
        self.paces: set[Pace] = set()
        self.on_room: Callable[[], None] = lambda: None
        """Told when it is no more full."""

    @property
    def is_full(self) -> bool:
        """What comes now may push out what nobody has read, and the process was started to wait then; or those who
        look at it are all too far behind."""
        if (
            self._waits_at_bytes is not None
            and self.size_bytes - self._taken_bytes > self._waits_at_bytes
        ):
            return True
        return bool(self.paces) and all(
            self.size_bytes - pace.taken_bytes > pace.lead_bytes for pace in self.paces
        )

    def watched(self, *, lead_bytes: int) -> Pace:
        """By somebody who says what they have taken, until they close it."""
        pace = Pace(self, lead_bytes)
        self.paces.add(pace)
        return pace

    @contextmanager
    def may_make_room(self) -> Iterator[None]:
        was_full = self.is_full
        yield
        if was_full and not self.is_full:
            self.on_room()

    @property
    def first_sequence(self) -> int:
        """The oldest that can be read."""
        in_file = self._file.first_sequence
        if in_file is not None:
            return in_file
        return self._recent[0].sequence if self._recent else self.last_sequence + 1

    def write(self, stream: ProcessLogStream, data: bytes) -> None:
        """One or more entries more. A disk that is full loses them to later readers, who are told of the gap."""
        limit = self._file.largest_entry_bytes
        if len(data) <= limit:
            self._write(stream, data)
            return
        for start in range(0, len(data), limit):
            self._write(stream, data[start : start + limit])

    def end(self) -> None:
        self.is_ended = True
        self._file.close()
        self._tell()

    # Readers

    async def read(self, since: int, *, max_bytes: int = BATCH_BYTES) -> list[Batch]:
        """What there is after `since` now: of about `max_bytes`, at least one entry. Empty: nothing yet.

        Raises: OSError.
        """
        if since >= self.last_sequence:
            return []
        recent = self._recent
        if recent and recent[0].sequence <= since + 1:
            entries = _up_to(islice(recent, since + 1 - recent[0].sequence, None), max_bytes)
        else:
            entries = await self._from_file(since, _up_to, max_bytes)
            # A disk that is full has none of the latest.
            entries = entries or _up_to(self._recent, max_bytes)
        return _batches(since, entries, self.last_sequence)

    async def wait(self, since: int) -> None:
        """Until there is something after `since`, or nothing more comes."""
        while not self.is_ended and self.last_sequence <= since:
            await self._changed.wait()

    async def follow(self, since: int) -> AsyncIterator[Batch]:
        """Everything after `since`, from the file and then as it comes, to the end. Raises: OSError."""
        while True:
            for batch in await self.read(since):
                yield batch
                self.taken(batch)
                since = max(since, batch.cursor)
            if since >= self.last_sequence:
                if self.is_ended:
                    return
                await self.wait(since)

    def taken(self, batch: Batch) -> None:
        """A reader has it."""
        if self._waits_at_bytes is None or not batch.entries:
            return
        with self.may_make_room():
            self._taken_bytes = max(self._taken_bytes, batch.entries[-1].end)

    def near_end(self, size_bytes: int) -> int:
        """The cursor after which about the last `size_bytes` are: where a screen begins."""
        return self._file.sequence_near_end(size_bytes)

    async def tail(self, count: int, stream: ProcessLogsStream) -> int:
        """The cursor after which the last `count` entries of `stream` are. Raises: OSError."""
        size = _TAIL_BYTES
        while True:
            since = self.near_end(size)
            found = await self._from_file(since, _sequences, stream)
            if len(found) >= count or since == 0:
                return found[-count] - 1 if len(found) >= count else since
            size *= 4

    async def _from_file(
        self, since: int, read: Callable[[Iterable[Entry], What], list[Found]], what: What
    ) -> list[Found]:
        """What `read` makes of the entries after `since`."""
        while True:
            entries = read_pieces(self._file.pieces(since), since)
            try:
                return await asyncio.to_thread(read, entries, what)
            except FileNotFoundError:
                if self._file.first_sequence is None or since >= self.last_sequence:
                    return []
                # It was dropped before it was read: what is left begins later.
                since = max(since, self._file.first_sequence - 1)

    def _write(self, stream: ProcessLogStream, data: bytes) -> None:
        entry = Entry(
            self.last_sequence + 1, self.size_bytes, time.time_ns() // 1_000_000, stream, data
        )
        self.last_sequence = entry.sequence
        self.size_bytes = entry.end
        self._recent.append(entry)
        self._recent_bytes += len(data)
        while len(self._recent) > 1 and (
            self._recent_bytes > _RECENT_BYTES or len(self._recent) > _RECENT_ENTRIES
        ):
            self._recent_bytes -= len(self._recent.popleft().data)
        try:
            self._file.append(entry)
        except OSError as exc:
            if not self._has_failed:
                logger.error("the output of %s cannot be written: %s", self._name, exc)
            self._has_failed = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def is_of(entry: Entry, stream: ProcessLogsStream) -> bool:
    return stream in ("combined", entry.stream)


def _sequences(entries: Iterable[Entry], stream: ProcessLogsStream) -> list[int]:
    return [entry.sequence for entry in entries if is_of(entry, stream)]


def _up_to(entries: Iterable[Entry], max_bytes: int) -> list[Entry]:
    found: list[Entry] = []
    for entry in entries:
        found.append(entry)
        max_bytes -= len(entry.data)
        if max_bytes <= 0:
            break
    return found


def _batches(since: int, entries: list[Entry], last_sequence: int) -> list[Batch]:
    if not entries:
        return [Batch([], last_sequence, ProcessGap(after=since, sequence=last_sequence + 1))]
    batches: list[Batch] = []
    start, at, end = 0, since, 0 if since == 0 else None
    gap: ProcessGap | None = None
    for index, entry in enumerate(entries):
        if entry.sequence != at + 1:
            if index > start:
                batches.append(Batch(entries[start:index], at, gap))
            missing = entry.offset - end if end is not None else None
            gap = ProcessGap(after=at, sequence=entry.sequence, bytes=missing)
            start = index
        at, end = entry.sequence, entry.end
    batches.append(Batch(entries[start:], at, gap))
    return batches
