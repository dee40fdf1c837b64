"""The Inspector at `/ui/`: a page needs no token, because it comes before its token does.

Its files are a package of their own, which also says how they are given to a browser, and which a server may lack.
"""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from typing import Final
from urllib.parse import unquote

from sandbox_agent_core.errors import NotFound
from sandbox_agent_core.inspector import FOLDER, PACKAGE, InspectorFiles
from sandbox_agent_core.installed_from import pip_install
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox_agent_server.http.guard import PLAIN_NAMES
from sandbox_agent_server.http.port_origins import origins_of

__all__ = ["Inspector", "InspectorAddresses"]

_OTHER_SERVERS: Final = "servers.json"
"""Which there are is asked of whatever serves the page; an ordinary server knows of none."""
_MOST_READINGS: Final = 8
"""Nobody reads more often. A path of nothing but `%25` would be read thousands of times."""
_MISSING_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Inspector:
    def __init__(self, files: InspectorFiles | None) -> None:
        self._found = files

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route(FOLDER.rstrip("/"), _to_folder, methods=["GET"]),
            Route(FOLDER + "{path:path}", self._answer, methods=["GET"]),
        ]

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        if self._found is None:
            return _missing(request)
        if path == _OTHER_SERVERS:
            return Response(status_code=204)
        answer = self._found.answer(
            path,
            accept_encoding=request.headers.get("accept-encoding", ""),
            if_none_match=request.headers.get("if-none-match", ""),
            frames=origins_of(request.scope),
        )
        if answer is None:
            raise NotFound(
                f"the Inspector has no file {path!r}: reload the page, it is of another version"
            )
        return Response(answer.body, answer.status, headers=dict(answer.headers))


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
    for _ in range(_MOST_READINGS):
        names = path.replace("\\", "/").removesuffix("/").split("/")
        if "\0" in path or any(name in ("", ".", "..") for name in names):
            return False
        if (decoded := unquote(path)) == path:
            return True
        path = decoded
    return False


async def _to_folder(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(FOLDER + query, status_code=307)


def _missing(request: Request) -> Response:
    """To a person a page, to a program a problem."""
    if find_spec(PACKAGE) is None:
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
    return Response(page, 404, media_type="text/html", headers=_MISSING_HEADERS)
