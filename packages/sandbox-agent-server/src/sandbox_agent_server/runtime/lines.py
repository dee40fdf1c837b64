"""Bytes in, whole lines out: sans-I/O, one pass, no copying of what is already split."""

from __future__ import annotations

__all__ = ["LineSplitter", "OversizeLine"]

_HEAD_BYTES = 4096


class OversizeLine(bytes):
    """Stands in a batch where a line was too long to keep.

    It is empty, so whoever skips blank lines skips it too; who wants to tell looks at `size_bytes`, and
    at its first bytes, `head`.
    """

    size_bytes: int
    head: bytes

    def __new__(cls, size_bytes: int, head: bytes = b"") -> OversizeLine:
        line = super().__new__(cls)
        line.size_bytes = size_bytes
        line.head = head[:_HEAD_BYTES]
        return line


class LineSplitter:
    """Splits at `\\n` only. Holds at most `max_line_bytes` of an unfinished line, however long it gets."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max = max_line_bytes
        # A list, joined once: appending to one bytes object would copy it for every chunk.
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self._skipping = False
        self._head = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newline."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            if self._partial_bytes:
                lines[0] = self._finish(lines[0])
            if self._max < len(data):
                lines = [self._checked(line) for line in lines]
        if rest:
            self._keep(rest)
        return lines

    def flush(self) -> list[bytes]:
        """What is left at the end: the last line when it had no newline."""
        return [self._finish(b"")] if self._partial_bytes else []

    def _keep(self, part: bytes) -> None:
        self._partial_bytes += len(part)
        if not self._skipping:
            self._partial.append(part)
            if self._partial_bytes > self._max:
                self._head = self._first_bytes()
                self._partial.clear()
                self._skipping = True

    def _first_bytes(self) -> bytes:
        head = b""
        for part in self._partial:
            head += part[: _HEAD_BYTES - len(head)]
            if len(head) == _HEAD_BYTES:
                break
        return head

    def _finish(self, end: bytes) -> bytes:
        size = self._partial_bytes + len(end)
        self._partial.append(end)
        if self._skipping or size > self._max:
            line: bytes = OversizeLine(size, self._head or self._first_bytes())
        else:
            line = b"".join(self._partial)
        self._partial.clear()
        self._partial_bytes = 0
        self._skipping, self._head = False, b""
        return line

    def _checked(self, line: bytes) -> bytes:
        return OversizeLine(len(line), line) if len(line) > self._max else line
