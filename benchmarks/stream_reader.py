"""Reads one event stream, or many, as fast as Python can, in a process of its own.

It is the same for both servers and does nothing while events arrive but store bytes and the time
they came: decoding, counting and checking the order happen after the last one.

    python -m benchmarks.stream_reader   reads a job (JSON, one line) from stdin, says `ready` when
    the streams are open, then prints one JSON line of results.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from itertools import accumulate, pairwise
from typing import Any

# An update's text: its `content` is an object. Ours also logs completed messages, which repeat the
# text of many updates in a list. The peer may write the keys in an order of its own.
TEXT = rb'"content":\{(?:"type":"text",)?"text":"#'
INDEX = re.compile(TEXT + rb"(\d{8})")
STAMP = re.compile(TEXT + rb"\d{8}@(\d{20});")
LONGEST_MATCH = 128
RECV_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What to read. It ends with the last expected index, or when nothing came for `idle_s`."""

    port: int
    path: str
    headers: dict[str, str]
    expected: int
    connections: int = 1
    idle_s: float = 5.0
    deadline_s: float = 120.0
    nap_s: float = 0.0
    nap_bytes: int = RECV_BYTES
    """With `nap_s`: a slow reader takes this much, then sleeps."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """The times are on the machine's monotonic clock, which all processes share."""

    received: int
    lost: int
    duplicated: int
    reordered: int
    connected_s: float
    last_event_s: float
    size_bytes: int
    latencies_us: list[float] = field(default_factory=list)


class Stream:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._last_index = re.compile(TEXT + b"%08d" % (job.expected - 1))
        self._chunks: list[bytes] = []
        self._times_s: list[float] = []
        self._tail = b""
        self._saw_last = False
        self.is_finished = False
        self.socket = socket.socket()
        if job.nap_s:
            # Else the kernel's buffers swallow the whole burst and nobody is slow.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(10)
        self._connected_s = time.monotonic()
        self.socket.connect(("127.0.0.1", job.port))
        lines = [f"GET {job.path} HTTP/1.1", f"Host: 127.0.0.1:{job.port}"]
        lines += [f"{name}: {value}" for name, value in job.headers.items()]
        self.socket.sendall("\r\n".join([*lines, "Accept: text/event-stream", "", ""]).encode())
        self._read_head()

    def _read_head(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError(f"no response head from {self._job.path!r}")
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(f"{self._job.path!r} answered {head[:200]!r}")
        self._is_chunked = b"transfer-encoding: chunked" in head.lower()
        if rest:
            self._take(rest)

    def receive(self) -> None:
        piece = self.socket.recv(min(RECV_BYTES, self._job.nap_bytes))
        if piece:
            self._take(piece)
        else:
            self.is_finished = True

    def _take(self, piece: bytes) -> None:
        self._times_s.append(time.monotonic())
        self._chunks.append(piece)
        window = self._tail + piece
        self._tail = window[-LONGEST_MATCH:]
        start = 0
        if not self._saw_last and (match := self._last_index.search(window)):
            start = match.start()
            self._saw_last = True
        # The index stands at the start of an event that may be large: wait for its end, too.
        self.is_finished = self._saw_last and window.find(b"\n\n", start) >= 0

    def result(self) -> StreamResult:
        raw = b"".join(self._chunks)
        body = dechunk(raw) if self._is_chunked else raw
        indices = [int(found) for found in INDEX.findall(body)]
        unique = set(indices)
        return StreamResult(
            received=len(indices),
            lost=self._job.expected - len(unique),
            duplicated=len(indices) - len(unique),
            reordered=sum(later < earlier for earlier, later in pairwise(indices)),
            connected_s=self._connected_s,
            last_event_s=self._times_s[-1] if self._times_s else 0.0,
            size_bytes=len(raw),
            latencies_us=self._latencies(raw),
        )

    def _latencies(self, raw: bytes) -> list[float]:
        ends = list(accumulate(map(len, self._chunks)))
        return [
            round(self._times_s[bisect_right(ends, match.end() - 1)] * 1e6 - int(match[1]) / 1e3, 1)
            for match in STAMP.finditer(raw)
        ]


def dechunk(raw: bytes) -> bytes:
    """The body of a chunked response, as far as it came."""
    parts: list[bytes] = []
    position = 0
    while (end := raw.find(b"\r\n", position)) >= 0:
        size = int(raw[position:end].partition(b";")[0] or b"0", 16)
        parts.append(raw[end + 2 : end + 2 + size])
        position = end + 2 + size + 2
        if not size:
            break
    return b"".join(parts)


def read(job: Job) -> list[StreamResult]:
    streams = [Stream(job) for _ in range(job.connections)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    deadline = time.monotonic() + job.deadline_s
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            if not stream.is_finished:
                selector.register(stream.socket, selectors.EVENT_READ, stream)
        while selector.get_map() and time.monotonic() < deadline:
            ready = selector.select(job.idle_s)
            if not ready:
                break
            for key, _ in ready:
                stream = key.data
                stream.receive()
                if stream.is_finished:
                    selector.unregister(stream.socket)
            if job.nap_s:
                time.sleep(job.nap_s)
    for stream in streams:
        stream.socket.close()
    return [stream.result() for stream in streams]


def main() -> None:
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    results = [asdict(result) for result in read(Job(**job))]
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
