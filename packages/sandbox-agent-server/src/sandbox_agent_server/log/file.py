"""The file of a log: appended to whole or not at all, read in big slices, any line found from a sparse index."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import StorageError

__all__ = ["LOG_NAME", "LogFile", "Place", "Quota", "Torn", "remove_log"]

LOG_NAME: Final = "log.jsonl"
_MARK_EVERY_BYTES: Final = 128 * 1024
_SLICE_BYTES: Final = 1024 * 1024
_TAIL_BYTES: Final = 64 * 1024
_SEQ: Final = re.compile(rb'\{"seq":(\d{1,15}),')


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is, or would be: its seq and the offset of its line."""

    seq: int
    offset: int


@dataclass(frozen=True, slots=True)
class Torn:
    """What was cut off the end of a file, because it is no whole line."""

    dropped_bytes: int
    reason: str


class Quota:
    """Bytes that all logs together may hold; at the limit a log behaves as on a full disk."""

    def __init__(self, limit_bytes: int | None = None, *, used_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = used_bytes

    def take(self, size_bytes: int, *, whatever_is_used: bool = False) -> None:
        """Raises: OSError."""
        used = self.used_bytes + size_bytes
        if self.limit_bytes is not None and used > self.limit_bytes and not whatever_is_used:
            raise OSError(f"the limit max_log_bytes ({self.limit_bytes}) is reached")
        self.used_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self.used_bytes = max(0, self.used_bytes - size_bytes)


class LogFile:
    """Lines of one session. `last_seq`, `last_line` and `size_bytes` are those of what is whole.

    Written in the event loop's thread only; `read` may be called in any thread.
    """

    def __init__(self, directory: Path, quota: Quota) -> None:
        """Look at the end of the file, and cut back what a power failure tore.

        Raises:
            StorageError: it is there and cannot be read.
        """
        self.path = directory / LOG_NAME
        self._quota = quota
        self._descriptor: int | None = None
        self._is_dirty = False
        self._marks: list[Place] | None = None
        self._next_mark_at = 0
        self.torn: Torn | None = None
        self.size_bytes = 0
        self.last_seq = 0
        self.last_line = b""
        try:
            self._look_at_end()
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise StorageError(
                f"cannot read the log {str(self.path)!r}: {exc.strerror or exc}",
                path=str(self.path),
            ) from exc

    def append(self, data: bytes, *, last_seq: int, is_end: bool = False) -> None:
        """Write whole lines in one go; what is written in part is taken back. `is_end`: also beyond the quota.

        Raises:
            StorageError: nothing was written.
        """
        size = len(data)
        descriptor = self._descriptor
        try:
            if descriptor is None or self._is_dirty:
                descriptor = self._open_for_writing()
            self._quota.take(size, whatever_is_used=is_end)
        except OSError as exc:
            raise self._error(exc) from exc
        try:
            written = os.write(descriptor, data)
            if written != size:
                raise OSError("no space left for the whole of it")
        except OSError as exc:
            self._is_dirty = True
            self._quota.give_back(size)
            with contextlib.suppress(OSError):  # then the next append tries again
                self._clean(descriptor)
            raise self._error(exc) from exc
        if self.size_bytes >= self._next_mark_at:
            self._mark()
        self.size_bytes += size
        self.last_seq = last_seq

    def rest(self) -> None:
        """Give the descriptor and the index back until they are needed again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._marks = None

    def sync(self) -> None:
        """Put what is written on the disk. Blocks; for any thread."""
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def delete(self) -> None:
        """With its directory. Deleting what is gone already is fine. Raises: StorageError."""
        self.rest()
        remove_log(self.path.parent)
        self._quota.give_back(self.size_bytes)
        self.size_bytes = self.last_seq = 0

    # Reading

    def find(self, seq: int) -> Place:
        """A place at or before an entry, near to it. Blocks for as long as it takes to count the lines of
        the file once; for any thread.

        Raises:
            OSError: the file cannot be read.
        """
        if seq > self.last_seq:
            return Place(self.last_seq + 1, self.size_bytes)
        marks = self.places()
        position = bisect_right(marks, seq, key=lambda mark: mark.seq)
        return marks[position - 1] if position else Place(1, 0)

    def places(self) -> Sequence[Place]:
        """Some of them in order, near to each other, the first at the beginning. As `find`."""
        marks = self._marks
        if marks is None:
            marks = self._marks = list(self._scan())
        return marks

    def read(self, place: Place, *, max_bytes: int) -> list[bytes]:
        """Whole lines from a place on, without their newlines: about `max_bytes`, at least one. Blocks; for
        any thread.

        Raises:
            OSError: the file cannot be read.
        """
        end = self.size_bytes
        if place.offset >= end:
            return []
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            data = _read_at(descriptor, place.offset, min(max_bytes, end - place.offset))
            last = data.rfind(b"\n")
            while last < 0:  # the line is longer than what was asked for: then it is the only one
                more = _read_at(
                    descriptor,
                    place.offset + len(data),
                    min(max(_TAIL_BYTES, len(data)), end - place.offset - len(data)),
                )
                if not more:
                    return []
                data += more
                last = data.find(b"\n")
        finally:
            os.close(descriptor)
        return data[:last].split(b"\n")

    def _scan(self) -> Iterator[Place]:
        """A place every `_MARK_EVERY_BYTES` or so."""
        seq, offset, end = 1, 0, self.size_bytes
        if end == 0:
            return
        with self.path.open("rb", buffering=0) as file:
            while offset < end:
                data = os.pread(file.fileno(), min(_MARK_EVERY_BYTES, end - offset), offset)
                if not data:
                    return
                seq = _seq_at_start(data) or seq  # damage may have taken lines, or made some
                yield Place(seq, offset)
                last = data.rfind(b"\n")
                while last < 0 and (
                    more := os.pread(file.fileno(), _SLICE_BYTES, offset + len(data))
                ):
                    data += more
                    last = data.rfind(b"\n")
                if last < 0:
                    return
                seq += data.count(b"\n", 0, last + 1)
                offset += last + 1

    def _mark(self) -> None:
        """The entry that was just written begins at a place worth remembering."""
        self._next_mark_at = self.size_bytes + _MARK_EVERY_BYTES
        if self._marks is None and self.size_bytes == 0:
            self._marks = []
        if self._marks is not None:  # else the first reader counts what is there
            self._marks.append(Place(self.last_seq + 1, self.size_bytes))

    # Writing

    def _open_for_writing(self) -> int:
        """Raises: OSError."""
        if self._descriptor is None:
            if self.size_bytes == 0:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The log holds prompts and tool output: nobody else's business.
            self._descriptor = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        if self._is_dirty:
            self._clean(self._descriptor)
        return self._descriptor

    def _clean(self, descriptor: int) -> None:
        """Cut off what is no part of the log. Raises: OSError."""
        os.ftruncate(descriptor, self.size_bytes)
        self._is_dirty = False

    def _look_at_end(self) -> None:
        """Raises: OSError."""
        with self.path.open("rb", buffering=0) as file:
            descriptor = file.fileno()
            total = end = os.fstat(descriptor).st_size
            reason = ""
            while end > 0:
                start, line, is_whole = _last_line(descriptor, end)
                seq = _seq_of(line) if is_whole else None
                if seq is not None:
                    self.size_bytes, self.last_seq, self.last_line = end, seq, line
                    break
                reason = (
                    "its last line is not whole" if not is_whole else "its last line is damaged"
                )
                end = start
        if end != total:
            self.torn = Torn(total - end, reason)
            # Cut off with the first write, so that a log on a read-only disk can be read all the same.
            self._is_dirty = True

    def _error(self, exc: OSError) -> StorageError:
        return StorageError(
            f"cannot write the log {str(self.path)!r}: {exc}. Free space there, make it writable, or give "
            "another --data-dir.",
            path=str(self.path),
        )


def _remove_tree(directory: Path) -> None:
    """Also what an agent whose home is there has locked against itself. Raises: OSError."""
    try:
        shutil.rmtree(directory)
    except PermissionError:
        for path, names, _files in os.walk(directory):
            for name in names:
                if not Path(path, name).is_symlink():
                    Path(path, name).chmod(0o700)
        shutil.rmtree(directory)


def remove_log(directory: Path) -> None:
    """Whatever is there in the place of a log's directory. Raises: StorageError."""
    try:
        if directory.is_dir() and not directory.is_symlink():
            _remove_tree(directory)
        else:
            directory.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise StorageError(
            f"cannot remove the log {str(directory)!r}: {exc}", path=str(directory)
        ) from exc


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    data = os.pread(descriptor, size, offset)
    while 0 < len(data) < size and (
        more := os.pread(descriptor, size - len(data), offset + len(data))
    ):
        data += more
    return data


def _seq_at_start(data: bytes) -> int | None:
    """Of the first line, when the second one agrees; None for what is no entry."""
    first = _SEQ.match(data)
    second = _SEQ.match(data, data.find(b"\n") + 1) if first else None
    return int(first[1]) if first and second and int(second[1]) == int(first[1]) + 1 else None


def _last_line(descriptor: int, end: int) -> tuple[int, bytes, bool]:
    """`(offset, line without its newline, whether it has one)` of what ends at `end`."""
    size = _TAIL_BYTES
    while True:
        offset = max(0, end - size)
        data = _read_at(descriptor, offset, end - offset)
        is_whole = data.endswith(b"\n")
        text = data[:-1] if is_whole else data
        before = text.rfind(b"\n")
        if before >= 0 or offset == 0:
            return offset + before + 1, text[before + 1 :], is_whole
        size *= 4


def _seq_of(line: bytes) -> int | None:
    """None when the line is no entry."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return seq if isinstance(seq, int) and seq > 0 else None
