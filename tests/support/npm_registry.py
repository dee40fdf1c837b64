"""An npm registry on loopback, with the faults that real ones have. It speaks as much of the protocol as npm asks."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

__all__ = ["NpmRegistry", "archive_of"]

STALL_DEADLINE_S = 60.0


def archive_of(files: Mapping[str, bytes], *, top: str = "package") -> bytes:
    """As `npm pack` makes it. A name that ends with `*` is executable."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name.removesuffix('*')}")
            member.size = len(content)
            member.mode = 0o755 if name.endswith("*") else 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


@dataclass
class NpmRegistry:
    """Serves what was `publish`ed; `requests` has the path of every request, in order."""

    requests: list[str] = field(default_factory=list)
    token: str | None = None
    """Wanted from everyone."""
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers; after those it works again."""
    truncations: int = 0
    """How many of the next archives break off in the middle."""
    announced_host: str | None = None
    """Another one, in the addresses of archives."""
    stalls: bool = False
    """Archives stop in the middle until `go_on`."""

    address: str = "127.0.0.1"
    """Of this machine, where it is reached; for containers that is the bridge's."""

    def __post_init__(self) -> None:
        self.is_stalled = threading.Event()
        self._go_on = threading.Event()
        self._packages: dict[str, dict[str, Any]] = {}
        self._archives: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer((self.address, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go_on()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"{self.address}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/"

    def go_on(self) -> None:
        self._go_on.set()

    def publish(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes] | None = None,
        *,
        archive: bytes | None = None,
        integrity: str | None = None,
        manifest: Mapping[str, Any] | None = None,
        tags: tuple[str, ...] = ("latest",),
    ) -> None:
        described = {"name": name, "version": version, **(manifest or {})}
        content = archive or archive_of(
            {"package.json": json.dumps(described).encode(), **(files or {})}
        )
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        package = self._packages.setdefault(name, {"name": name, "dist-tags": {}, "versions": {}})
        package["versions"][version] = {
            **described,
            "dist": {
                "tarball": self.url.rstrip("/") + path,
                "integrity": integrity if integrity is not None else f"sha512-{digest}",
            },
        }
        package["dist-tags"] |= dict.fromkeys(tags, version)
        self._archives[path] = content

    def count(self, part: str) -> int:
        """How many requests had this in their path."""
        return sum(part in path for path in self.requests)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path.partition("?")[0])
        self.requests.append(path)
        if self.token and handler.headers.get("authorization") != f"Bearer {self.token}":
            _send(handler, 401, b"{}")
        elif self.failures:
            _send(handler, self.failures.pop(0), b"{}")
        elif (archive := self._archives.get(path)) is not None:
            self._send_archive(handler, archive)
        elif (package := self._packages.get(path[1:])) is not None:
            document = json.dumps(package)
            if self.announced_host:
                document = document.replace(self.host, self.announced_host)
            _send(handler, 200, document.encode())
        else:
            _send(handler, 404, b'{"error": "not found"}')

    def _send_archive(self, handler: BaseHTTPRequestHandler, archive: bytes) -> None:
        half = len(archive) // 2
        if self.truncations:
            self.truncations -= 1
            _send(handler, 200, archive[:half], length=len(archive))
        elif self.stalls:
            _send(handler, 200, archive[:half], length=len(archive))
            handler.wfile.flush()
            self.is_stalled.set()
            self._go_on.wait(STALL_DEADLINE_S)
            handler.wfile.write(archive[half:])
        else:
            _send(handler, 200, archive)


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, *, length: int | None = None
) -> None:
    handler.send_response(status)
    handler.send_header("content-length", str(len(body) if length is None else length))
    handler.send_header("connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


def _handler(registry: NpmRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Who asked may have been killed: that is what some tests are about.
            with contextlib.suppress(OSError):
                registry.answer(self)

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler
