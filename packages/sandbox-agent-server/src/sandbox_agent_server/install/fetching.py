"""Reads what somebody names: an `https:` address, a `file:` address or a path. Bounded, and never over plain HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urljoin, urlsplit

import httpx
from sandbox_agent_core.errors import InstallFailed, InstallForbidden, IntegrityMismatch

__all__ = ["MAX_REDIRECTS", "Fetcher"]

MAX_REDIRECTS: Final = 5
CONNECT_TIMEOUT_S: Final = 15.0
SILENCE_TIMEOUT_S: Final = 60.0
_CHUNK_BYTES: Final = 256 * 1024


class Fetcher:
    """Blocks."""

    def __init__(
        self, *, may_use_network: bool, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._may_use_network = may_use_network
        self._transport = transport

    def text(self, source: str, *, max_bytes: int) -> str:
        """Raises: InstallFailed, InstallForbidden."""
        content = b"".join(self._pieces(source, max_bytes))
        try:
            return content.decode()
        except UnicodeDecodeError as exc:
            raise InstallFailed(f"{source} is no text.") from exc

    def file(
        self,
        source: str,
        target: Path,
        *,
        max_bytes: int,
        sha256: str | None,
        on_progress: Callable[[int], None] = lambda _done: None,
    ) -> None:
        """Raises: InstallFailed, InstallForbidden, IntegrityMismatch: it is not what was announced."""
        digest, done = hashlib.sha256(), 0
        with target.open("wb") as file:
            for piece in self._pieces(source, max_bytes):
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                on_progress(done)
        if sha256 is not None and digest.hexdigest() != sha256:
            target.unlink()
            raise IntegrityMismatch(
                f"{source} has the sha256 {digest.hexdigest()}, not {sha256}. It was thrown away."
            )

    def _pieces(self, source: str, max_bytes: int) -> Iterator[bytes]:
        room = max_bytes
        for piece in self._read(source):
            room -= len(piece)
            if room < 0:
                raise InstallFailed(f"{source} is larger than {max_bytes} bytes.", value=max_bytes)
            yield piece

    def _read(self, source: str) -> Iterator[bytes]:
        try:
            parts = urlsplit(source)
        except ValueError:
            raise InstallFailed(f"{source} is no address.") from None
        if parts.scheme == "https":
            yield from self._download(source)
        elif parts.scheme == "file" and parts.netloc in ("", "localhost"):
            yield from _local(Path(unquote(parts.path)), source)
        elif "://" not in source:
            yield from _local(Path(source), source)
        else:
            raise InstallFailed(
                f"{source} is neither an https: nor a file: address: nothing is read from there."
            )

    def _download(self, url: str) -> Iterator[bytes]:
        if not self._may_use_network:
            raise InstallForbidden(
                f"Nothing may come from the network here (`require_preinstalled`): {url}."
            )
        timeout = httpx.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            with httpx.Client(timeout=timeout, transport=self._transport) as client:
                for _ in range(MAX_REDIRECTS + 1):
                    with client.stream("GET", url) as response:
                        if not response.has_redirect_location:
                            yield from _body(response, url)
                            return
                        url = _next(url, response.headers["location"])
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise InstallFailed(f"{url} cannot be read: {str(exc) or type(exc).__name__}") from exc
        raise InstallFailed(f"{url} leads on more than {MAX_REDIRECTS} times.")


def _next(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme != "https":
        raise InstallFailed(f"{url} leads to {target}, which is not https:.")
    return target


def _body(response: httpx.Response, url: str) -> Iterator[bytes]:
    if not response.is_success:
        raise InstallFailed(f"{url} answers {response.status_code}.")
    yield from response.iter_bytes(_CHUNK_BYTES)


def _local(path: Path, source: str) -> Iterator[bytes]:
    try:
        if not path.is_file():
            raise InstallFailed(f"There is no file {source}.")
        with path.open("rb") as file:
            yield from _chunks(file)
    except OSError as exc:
        raise InstallFailed(f"{source} cannot be read: {exc.strerror}") from exc


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK_BYTES):
        yield piece
