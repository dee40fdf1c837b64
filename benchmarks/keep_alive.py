"""One connection that stays, on a plain socket: an HTTP library would cost more than the answers that are measured."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from .contenders import TOKEN, BenchmarkError

__all__ = ["KeepAlive"]

_TIMEOUT_S = 120
_WITH_HEAD_BYTES = 65_536
_RECEIVE_BYTES = 1 << 20


class KeepAlive:
    """Blocking; for one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb", buffering=1 << 18)
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._reader.close()
        self._socket.close()

    def call(
        self, method: str, path: str, body: bytes = b"", *, kind: str = "application/json"
    ) -> bytes:
        """The body of the answer. Raises: BenchmarkError."""
        self._send_head(
            method, path, len(body), kind, body if len(body) < _WITH_HEAD_BYTES else b""
        )
        if len(body) >= _WITH_HEAD_BYTES:
            self._socket.sendall(body)
        return self._answer(f"{method} {path}")

    def upload(self, path: str, block: bytes, count: int) -> bytes:
        """A PUT of `count` blocks. Raises: BenchmarkError."""
        self._send_head("PUT", path, len(block) * count, "application/octet-stream", b"")
        for _ in range(count):
            self._socket.sendall(block)
        return self._answer(f"PUT {path}")

    def download(self, path: str) -> int:
        """How many bytes came; none of them is kept. Raises: BenchmarkError."""
        self._send_head("GET", path, 0, "", b"")
        status, size, _ = self._read_head()
        if status >= 400 or size is None:
            raise BenchmarkError(f"GET {path} answered {status}")
        buffer = memoryview(bytearray(_RECEIVE_BYTES))
        left = size
        while left:
            count = self._reader.readinto(buffer[: min(left, _RECEIVE_BYTES)])
            if not count:
                raise BenchmarkError(f"GET {path} ended {left} bytes early")
            left -= count
        return size

    def _send_head(self, method: str, path: str, size: int, kind: str, body: bytes) -> None:
        has_body = size or method in ("POST", "PUT")
        of_body = f"Content-Type: {kind}\r\nContent-Length: {size}\r\n" if has_body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{of_body}\r\n"
        self._socket.sendall(head.encode() + body)

    def _answer(self, what: str) -> bytes:
        status, size, is_chunked = self._read_head()
        data = self._chunks() if is_chunked else self._reader.read(size or 0)
        if status >= 400:
            raise BenchmarkError(f"{what} answered {status}: {data[:300]!r}")
        return data

    def _read_head(self) -> tuple[int, int | None, bool]:
        status = int(self._reader.readline().split()[1])
        size, is_chunked = None, False
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            match name.lower():
                case b"content-length":
                    size = int(value)
                case b"transfer-encoding":
                    is_chunked = b"chunked" in value.lower()
        return status, size, is_chunked

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._reader.readline().partition(b";")[0], 16):
            parts.append(self._reader.read(size))
            self._reader.readline()
        self._reader.readline()
        return b"".join(parts)
