"""The output of a process on the disk: segments of records, of which the oldest go when there is too much.

A record is a header and what one read brought. A sparse index in memory leads to a sequence within a few reads.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from sandbox_agent_core.api.processes import ProcessLogStream

__all__ = ["Entry", "OutputFile", "Piece", "read_pieces"]

_STREAMS: Final[Sequence[ProcessLogStream]] = ("stdout", "stderr", "pty")
_HEADER: Final = struct.Struct("<QQQBI")
_SEGMENTS: Final = 8
_MIN_SEGMENT_BYTES: Final = 4096
_INDEX_EVERY_BYTES: Final = 32 * 1024
_SUFFIX: Final = ".out"


class Entry(NamedTuple):
    """What one read of a stream brought."""

    sequence: int
    """From 1, over all streams of the process."""
    offset: int
    """How many bytes all entries before it have."""
    timestamp_ms: int
    stream: ProcessLogStream
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    """The sequence of its first record."""
    size: int = 0
    sequences: list[int] = field(default_factory=list)
    """Every some of them, with where they are."""
    places: list[int] = field(default_factory=list)

    def note(self, sequence: int) -> None:
        if not self.places or self.size - self.places[-1] >= _INDEX_EVERY_BYTES:
            self.sequences.append(sequence)
            self.places.append(self.size)

    def place_of(self, sequence: int) -> int:
        """A place at or before that record."""
        at = bisect_right(self.sequences, sequence) - 1
        return self.places[at] if at >= 0 else 0


Piece = tuple[Path, int, int]
"""A segment, and from where to where."""


class OutputFile:
    """Appended to in the event loop; `read_pieces` is for any thread."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = max(_MIN_SEGMENT_BYTES, max_bytes // _SEGMENTS)
        self._segments: list[_Segment] = []
        self._descriptor: int | None = None
        self._size = 0

    @property
    def largest_entry_bytes(self) -> int:
        """What is larger is written as several."""
        return self._segment_bytes

    @property
    def first_sequence(self) -> int | None:
        """The oldest that is kept; None when nothing is."""
        return self._segments[0].first if self._segments else None

    def append(self, entry: Entry) -> None:
        """Raises: OSError: nothing of it is written."""
        header = _HEADER.pack(
            entry.sequence,
            entry.offset,
            entry.timestamp_ms,
            _STREAMS.index(entry.stream),
            len(entry.data),
        )
        size = len(header) + len(entry.data)
        if self._descriptor is None or self._segments[-1].size + size > self._segment_bytes:
            self._begin(entry.sequence)
        assert self._descriptor is not None
        segment = self._segments[-1]
        try:
            written = os.writev(self._descriptor, [header, entry.data])
            if written < size:
                raise OSError("there is no room for all of it")
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, segment.size)
                os.lseek(self._descriptor, segment.size, os.SEEK_SET)
            raise
        segment.note(entry.sequence)
        segment.size += size
        self._size += size
        self._drop_oldest()

    def close(self) -> None:
        """Nothing more is appended; it can still be read."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def pieces(self, since: int) -> list[Piece]:
        """Where the entries after `since` are, for `read_pieces`."""
        at = max(bisect_right([one.first for one in self._segments], since + 1) - 1, 0)
        found: list[Piece] = []
        for segment in self._segments[at:]:
            start = segment.place_of(since + 1) if not found else 0
            found.append((segment.path, start, segment.size))
        return found

    def sequence_near_end(self, size_bytes: int) -> int:
        """After which about the last `size_bytes` of records are; 0 when that is all."""
        left = size_bytes
        for segment in reversed(self._segments):
            for sequence, place in zip(
                reversed(segment.sequences), reversed(segment.places), strict=True
            ):
                if segment.size - place > left:
                    return sequence - 1
            left -= segment.size
        return 0

    def load(self) -> Entry | None:
        """Find what an earlier server wrote; the last entry of it. Blocks. Raises: OSError."""
        last: Entry | None = None
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            segment = _Segment(path, int(path.stem))
            for entry in _records(path, 0, path.stat().st_size):
                segment.note(entry.sequence)
                segment.size += _HEADER.size + len(entry.data)
                last = entry
            if segment.size:
                self._segments.append(segment)
        self._size = sum(segment.size for segment in self._segments)
        return last

    def _begin(self, sequence: int) -> None:
        path = self._directory / f"{sequence:020d}{_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self.close()
        self._descriptor = descriptor
        self._segments.append(_Segment(path, sequence))

    def _drop_oldest(self) -> None:
        while self._size > self._max_bytes and len(self._segments) > 1:
            oldest = self._segments.pop(0)
            self._size -= oldest.size
            oldest.path.unlink(missing_ok=True)


def read_pieces(pieces: Sequence[Piece], since: int) -> Iterator[Entry]:
    """The entries after `since`. Blocks.

    Raises:
        FileNotFoundError: what was to be read has been dropped meanwhile.
    """
    for path, start, end in pieces:
        for entry in _records(path, start, end):
            if entry.sequence > since:
                yield entry


def _records(path: Path, start: int, end: int) -> Iterator[Entry]:
    """Whole ones only: the last may be cut off."""
    with path.open("rb") as file:
        file.seek(start)
        while file.tell() + _HEADER.size <= end:
            sequence, offset, timestamp_ms, stream, size = _HEADER.unpack(file.read(_HEADER.size))
            data = file.read(size)
            if len(data) < size or stream >= len(_STREAMS):
                return
            yield Entry(sequence, offset, timestamp_ms, _STREAMS[stream], data)
