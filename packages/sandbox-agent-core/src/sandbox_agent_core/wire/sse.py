"""Server-sent events, both directions, without I/O (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from typing import NamedTuple

from sandbox_agent_core.errors import PayloadTooLarge

__all__ = ["CONTENT_TYPE", "MAX_EVENT_BYTES", "SseDecoder", "SseEvent", "comment", "encode"]

CONTENT_TYPE = "text/event-stream"
MAX_EVENT_BYTES = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    id: str
    """The last id that the stream gave, by this event or an earlier one; empty before the first."""
    event: str
    """`message` unless the stream named it."""
    data: str


class SseDecoder:
    """Bytes in, in any portions; events out."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        """How long the server asks to wait before connecting again."""
        self._max = max_event_bytes
        self._partial: list[bytes] = []
        self._size = 0
        """Bytes held for an event that is not complete: its lines and the unfinished one."""
        self._id = ""
        self._event = b""
        self._data: list[bytes] = []
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that are complete with these bytes. An event that never ends is never given.

        Raises:
            PayloadTooLarge: an event exceeds the limit. The events before it are returned by the
                call that finds it; the next call raises.
        """
        self._check()
        # A CR ends a line at once; the LF of a CRLF that was cut in two belongs to it.
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if not chunk:
            return []
        # For bytes these are LF, CR and CRLF only, and none of them is part of a UTF-8 sequence.
        lines = chunk.splitlines()
        last = chunk[-1:]
        self._after_cr = last == b"\r"
        unfinished = b"" if last in b"\r\n" else lines.pop()
        events = self._complete(lines) if lines else []
        if unfinished:
            self._partial.append(unfinished)
            self._size += len(unfinished)
        if not events:
            self._check()
        return events

    def _complete(self, lines: list[bytes]) -> list[SseEvent]:
        if self._partial:
            self._partial.append(lines[0])
            lines[0] = b"".join(self._partial)
            self._partial.clear()
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        events = []
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        self._size = sum(map(len, self._data))
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"event":
            self._event = value
        elif name == b"retry" and value.isdigit():
            self.retry_ms = int(value)

    def _dispatch(self) -> SseEvent | None:
        self.last_event_id = self._id
        name, self._event = self._event, b""
        if not self._data:
            return None
        data = b"\n".join(self._data).decode("utf-8", "replace")
        self._data.clear()
        return SseEvent(self._id, name.decode("utf-8", "replace") if name else "message", data)

    def _check(self) -> None:
        if self._size > self._max:
            raise PayloadTooLarge(
                f"An event of the stream is larger than {self._max} bytes.",
                limit="max_event_bytes",
                value=self._max,
            )


def encode(data: bytes, *, id: int | str | None = None, event: str | None = None) -> bytes:
    """One event. `data` is UTF-8 and may have any number of lines; `id` and `event` one each."""
    parts = []
    if id is not None:
        parts.append(b"id: %b\n" % _one_line(str(id)))
    if event is not None:
        parts.append(b"event: %b\n" % _one_line(event))
    if b"\n" in data or b"\r" in data:
        parts += [b"data: %b\n" % line for line in _lines(data)]
    else:
        parts.append(b"data: %b\n" % data)
    parts.append(b"\n")
    return b"".join(parts)


def comment(text: str = "") -> bytes:
    """A line that readers skip: keeps a connection alive."""
    return b"".join(b": %b\n" % line for line in _lines(text.encode())) + b"\n"


def _lines(data: bytes) -> list[bytes]:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def _one_line(text: str) -> bytes:
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError(f"an event's id and name are one line each: {text!r}")
    return text.encode()
