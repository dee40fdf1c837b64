"""The built files, and how a browser is to be given them. For servers: it knows none of their frameworks.

Any path of the app that is no file is the app: it has its own routes. What the page may load and do is said by its policy,
with a nonce of its own for each answer.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ALWAYS", "Answer", "Files"]

_INDEX: Final = "index.html"
_NONCE: Final = b"__CSP_NONCE__"
_HASHED: Final = "assets/"
"""Files whose name changes with their content."""
_PRIVATE: Final = ("built-from", ".vite/")
_FOREVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'nonce-{nonce}'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'{connect}",
    "worker-src 'self'",
    "manifest-src 'self'",
    "frame-src {frames}",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types default",
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Build:
    version: tuple[int, int]
    files: Mapping[str, Path]


class Files:
    def __init__(self, static: Path, *, connect: Sequence[str] = ()) -> None:
        """`connect`: origins besides the server's own that the page may call."""
        self._static = static
        self._connect = "".join(f" {origin}" for origin in connect)
        self._build = _Build((0, 0), {})

    @property
    def is_built(self) -> bool:
        return bool(self._files())

    def answer(
        self,
        path: str,
        *,
        accept_encoding: str = "",
        if_none_match: str = "",
        frames: str | None = None,
    ) -> Answer | None:
        """To a GET of what is below the app's folder; None when there is no such file any more.

        `frames`: what the page may show in a frame, a source of its policy: never its own origin.
        """
        files = self._files()
        try:
            if (path in files or f"{path}.gz" in files) and path != _INDEX:
                return _file(
                    path, files, accept_encoding=accept_encoding, if_none_match=if_none_match
                )
            if path.startswith(_HASHED) or _INDEX not in files:
                return None
            return self._page(files[_INDEX].read_bytes(), frames or "'none'")
        except OSError:
            return None  # it was built again just then

    def _files(self) -> Mapping[str, Path]:
        """Looked for again when they were built again."""
        static = self._static
        try:
            now = (static / _INDEX).stat()
        except OSError:
            return {}
        version = (now.st_mtime_ns, now.st_ino)
        if self._build.version != version:
            found = {
                path.relative_to(static).as_posix(): path
                for path in static.rglob("*")
                if path.is_file()
            }
            files = {name: path for name, path in found.items() if not name.startswith(_PRIVATE)}
            self._build = _Build(version, files)
        return self._build.files

    def _page(self, index: bytes, frames: str) -> Answer:
        nonce = secrets.token_urlsafe(16)
        headers = {
            **ALWAYS,
            "content-type": _TYPES[".html"],
            "content-security-policy": "; ".join(_POLICY).format(
                nonce=nonce, connect=self._connect, frames=frames
            ),
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
        }
        return Answer(200, headers, index.replace(_NONCE, nonce.encode()))


def _file(
    path: str, files: Mapping[str, Path], *, accept_encoding: str, if_none_match: str
) -> Answer:
    """Raises: OSError."""
    small = files.get(f"{path}.gz")
    is_small = small is not None and _takes_gzip(accept_encoding)
    body = (files[path] if small is None else small).read_bytes()
    if small is not None and not is_small:
        body = gzip.decompress(body)
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {
        **ALWAYS,
        "etag": etag,
        "cache-control": _FOREVER if path.startswith(_HASHED) else "no-cache",
        "content-type": _type_of(path),
    }
    if small is not None:
        headers["vary"] = "Accept-Encoding"
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    if etag in known:
        return Answer(304, headers, b"")
    if is_small:
        headers["content-encoding"] = "gzip"
    return Answer(200, headers, body)


def _type_of(path: str) -> str:
    suffix = Path(path).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, rest = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
