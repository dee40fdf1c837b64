"""The Inspector's built files at `/ui/`: a page needs no token, because it comes before its token does.

They are a package of their own, which a server may lack. Any path of the app that is no file is the app: it has its own
routes. What the page may load and do is said by its policy, with a nonce of its own for each answer.
"""

from __future__ import annotations

import hashlib
import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sandbox_agent_core.errors import NotFound
from sandbox_agent_core.installed_from import pip_install
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox_agent_server.http.guard import PLAIN_NAMES

__all__ = ["FOLDER", "Inspector", "InspectorAddresses", "find_inspector", "inspector_link"]

FOLDER: Final = "/ui/"
_PACKAGE: Final = "sandbox_agent_inspector"
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
_ALWAYS: Final = {
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
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types default",
)
_MISSING_POLICY: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def find_inspector() -> Path | None:
    """Where its files are; None when the package is not installed, or is a checkout that nobody has built."""
    if find_spec(_PACKAGE) is None:
        return None
    static: Path = import_module(_PACKAGE).STATIC
    return static if (static / _INDEX).is_file() else None


def inspector_link(url: str, token: str | None) -> str:
    """What opens it. The token is in the fragment, which no browser sends to anybody."""
    fragment = "" if token is None else f"#token={token}"
    return f"{url.rstrip('/')}{FOLDER}{fragment}"


@dataclass(frozen=True, slots=True)
class _Found:
    """The files of one build."""

    version: tuple[int, int]
    files: Mapping[str, Path]


class Inspector:
    def __init__(self, static: Path | None, *, connect: tuple[str, ...] = ()) -> None:
        """`connect`: origins besides the server's own that the page may call."""
        self._static = static
        self._connect = "".join(f" {origin}" for origin in connect)
        self._build = _Found((0, 0), {})

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route(FOLDER.rstrip("/"), _to_folder, methods=["GET"]),
            Route(FOLDER + "{path:path}", self._answer, methods=["GET"]),
        ]

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        if self._static is None or not (files := self._files(self._static)):
            return _missing(request)
        if path in files and path != _INDEX:
            return _file(request, path, files)
        if path.startswith(_HASHED):
            raise NotFound(
                f"the Inspector has no file {path!r}: reload the page, it is of another version"
            )
        return self._page(files[_INDEX])

    def _files(self, static: Path) -> Mapping[str, Path]:
        """Looked for again when they were built again."""
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
            self._build = _Found(version, files)
        return self._build.files

    def _page(self, index: Path) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = "; ".join(_POLICY).format(nonce=nonce, connect=self._connect)
        return Response(
            _read(index).replace(_NONCE, nonce.encode()),
            media_type="text/html",
            headers={
                **_ALWAYS,
                "content-security-policy": policy,
                "cross-origin-opener-policy": "same-origin",
                "cache-control": "no-store",
            },
        )


class InspectorAddresses:
    """In front of the guard, to which only plain names are public: an address of the app with the name of a file in it,
    which may be any, is the app's page. What goes on is the page's own path, so nobody can be led anywhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] in ("GET", "HEAD")
            and scope["path"].startswith(FOLDER)
            and not PLAIN_NAMES.fullmatch(below := scope["path"].removeprefix(FOLDER))
            and _is_of_names(below)
        ):
            scope = {**scope, "path": FOLDER, "raw_path": FOLDER.encode()}
        await self._app(scope, receive, send)


def _is_of_names(path: str) -> bool:
    """However often, and as whose, somebody reads it: nothing leads up."""
    while True:
        names = path.replace("\\", "/").removesuffix("/").split("/")
        if "\0" in path or any(name in ("", ".", "..") for name in names):
            return False
        if (decoded := unquote(path)) == path:
            return True
        path = decoded


async def _to_folder(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(FOLDER + query, status_code=307)


def _file(request: Request, path: str, files: Mapping[str, Path]) -> Response:
    small = files.get(f"{path}.gz")
    is_small = small is not None and _takes_gzip(request.headers.get("accept-encoding", ""))
    body = _read(small if is_small and small is not None else files[path])
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {
        **_ALWAYS,
        "etag": etag,
        "cache-control": _FOREVER if path.startswith(_HASHED) else "no-cache",
        "content-type": _type_of(path),
    }
    if small is not None:
        headers["vary"] = "Accept-Encoding"
    if etag in [
        each.strip().removeprefix("W/")
        for each in request.headers.get("if-none-match", "").split(",")
    ]:
        return Response(status_code=304, headers=headers)
    if is_small:
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers)


def _type_of(path: str) -> str:
    suffix = Path(path).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, rest = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _read(path: Path) -> bytes:
    """Raises: NotFound."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise NotFound(f"the Inspector's file {path.name!r} is gone: reload the page") from exc


def _missing(request: Request) -> Response:
    """To a person a page, to a program a problem."""
    if find_spec(_PACKAGE) is None:
        what = "is not installed here"
        todo = pip_install("sandbox-agent-server[inspector]")
    else:
        what = "is installed here from sources that nobody has built yet"
        todo = "make inspector"
    if "text/html" not in request.headers.get("accept", ""):
        raise NotFound(f"the Inspector {what}: run `{todo}` and start the server again")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="dark light"><title>No Inspector here</title>'
        f"<h1>No Inspector here</h1><p>The Inspector {escape(what)}. Run</p><pre>{escape(todo)}</pre>"
        "<p>and start the server again. Its API works without, and is described at "
        '<a href="/openapi.json">/openapi.json</a>.</p></html>'
    )
    headers = {**_ALWAYS, "content-security-policy": _MISSING_POLICY, "cache-control": "no-store"}
    return Response(page, 404, media_type="text/html", headers=headers)
