"""One JSON value to a line, without I/O: what agents speak on their pipes."""

from __future__ import annotations

import json
from typing import Any

from sandbox_agent_core.errors import PayloadTooLarge

__all__ = ["MAX_LINE_BYTES", "LineSplitter", "encode"]

MAX_LINE_BYTES = 32 * 1024 * 1024


class LineSplitter:
    """Bytes in, in any portions; whole lines out, without their ends. Blank lines are left out.

    Splits at LF only: JSON may hold any other line separator inside a string, unescaped.
    """

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._partial: list[bytes] = []
        self._size = 0
        self._too_long = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete with these bytes.

        Raises:
            PayloadTooLarge: a line exceeds the limit. The lines before it are returned by the call
                that finds it; the next call raises.
        """
        self._check()
        lines = chunk.split(b"\n")
        unfinished = lines.pop()
        if lines and self._partial:
            self._partial.append(lines[0])
            lines[0] = b"".join(self._partial)
            self._partial.clear()
            self._size = 0
        if unfinished:
            self._partial.append(unfinished)
            self._size += len(unfinished)
        whole = self._within_limit(lines)
        if not whole:
            self._check()
        return whole

    def finish(self) -> bytes | None:
        """The last line, if the stream ended without ending it.

        Raises:
            PayloadTooLarge: it, or a line before it, exceeds the limit.
        """
        self._check()
        last = b"".join(self._partial).strip()
        self._partial.clear()
        self._size = 0
        return last or None

    def _within_limit(self, lines: list[bytes]) -> list[bytes]:
        whole = []
        for line in lines:
            if len(line) > self._max:
                self._too_long = True
                break
            if stripped := line.strip():
                whole.append(stripped)
        return whole

    def _check(self) -> None:
        if self._too_long or self._size > self._max:
            raise PayloadTooLarge(
                f"A line is longer than {self._max} bytes.", limit="max_line_bytes", value=self._max
            )


def encode(value: Any) -> bytes:
    """The value as one line, with its LF."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; escaped it survives.
        text = json.dumps(value, separators=(",", ":")).encode()
    return text + b"\n"
