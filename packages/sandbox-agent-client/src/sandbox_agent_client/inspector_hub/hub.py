"""The hub: an ASGI application that gives out the Inspector's files, and passes everything else on to the servers.

Their tokens stay here. The page has one of the hub's own.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from sandbox_agent_core.errors import (
    MethodNotAllowed,
    NotFound,
    SandboxAgentError,
)
from sandbox_agent_core.inspector import FOLDER, InspectorFiles
from sandbox_agent_core.wire.problem import CONTENT_TYPE, to_problem

from sandbox_agent_client.inspector_hub.admission import check_origin, is_admitted
from sandbox_agent_client.inspector_hub.requests import Requests
from sandbox_agent_client.inspector_hub.servers import HubServers
from sandbox_agent_client.inspector_hub.websockets import pass_websocket

__all__ = ["Hub"]

logger = logging.getLogger(__name__)

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_SERVER = re.compile(rb"/servers/([^/]+)(/.*)?", re.DOTALL)
_LISTS = ("/servers", "/servers/", f"{FOLDER}servers.json")
_OPEN = "/open/"
_POLICY_VIOLATION = 1008


class Hub:
    def __init__(
        self, servers: HubServers, files: InspectorFiles, *, token: str, hosts: frozenset[str]
    ) -> None:
        """`hosts`: by which `Host` it is called."""
        self._servers = servers
        self._files = files
        self._token = token
        self._hosts = hosts
        self._requests = Requests(servers)
        self._opening: tuple[str, str] | None = None

    def opening(self, link: str) -> str:
        """Leads to the link, once: what a browser is started with can be seen by all users of the machine."""
        self._opening = (code := secrets.token_urlsafe(16), link)
        return f"{link.partition(FOLDER)[0]}/open/{code}"

    async def close(self) -> None:
        await self._requests.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        try:
            check_origin(scope, self._hosts)
            await self._answer(scope, receive, send)
        except SandboxAgentError as exc:
            await _refuse(exc, scope, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        path: str = scope["path"]
        found = _SERVER.fullmatch(raw)
        if found is not None and found[2]:
            name, rest = unquote(found[1].decode("latin-1")), found[2]
            admitted = is_admitted(scope, self._token, path=unquote(rest.decode("latin-1")))
            prefix = raw[: -len(rest)]
            if scope["type"] == "websocket":
                await pass_websocket(
                    self._servers, name, rest, scope, receive, send, is_admitted=admitted
                )
            else:
                await self._requests.pass_on(
                    name, rest, scope, receive, send, prefix=prefix, is_admitted=admitted
                )
            return
        if scope["type"] == "websocket":
            raise NotFound(f"there is nothing at {path}")
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']} is not offered here; use GET, HEAD")
        if path in _LISTS:
            is_admitted(scope, self._token, path=path)
            await self._list(scope, send)
        elif path.startswith(_OPEN):
            await self._open(scope, send, path.removeprefix(_OPEN))
        elif path in ("/", FOLDER.rstrip("/")):
            await _send(scope, send, 307, {"location": FOLDER}, b"")
        elif path.startswith(FOLDER):
            await self._page(scope, send, path.removeprefix(FOLDER))
        else:
            raise NotFound(f"there is nothing at {path}; the servers are at /servers/NAME/")

    async def _open(self, scope: Scope, send: Send, code: str) -> None:
        opening = self._opening
        if opening is None or not secrets.compare_digest(code.encode(), opening[0].encode()):
            raise NotFound(
                "this was opened before: open the link that `sandbox-agent ui` has printed"
            )
        self._opening = None
        headers = {"location": opening[1], "cache-control": "no-store"}
        await _send(scope, send, 303, headers, b"")

    async def _list(self, scope: Scope, send: Send) -> None:
        servers = [
            {
                "name": one.name,
                "id": one.id,
                "provider": one.provider,
                "state": one.state,
                "prefix": f"/servers/{quote(one.name, safe='')}",
            }
            for one in await self._servers.list()
        ]
        problems = [
            {"provider": name, "detail": problem.message}
            for name, problem in self._servers.problems.items()
        ]
        body = json.dumps({"servers": servers, "problems": problems}).encode()
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        await _send(scope, send, 200, headers, body)

    async def _page(self, scope: Scope, send: Send, path: str) -> None:
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._files.answer(
            path,
            accept_encoding=given.get(b"accept-encoding", ""),
            if_none_match=given.get(b"if-none-match", ""),
        )
        if answer is None:
            raise NotFound(f"the Inspector has no file {path!r}: reload the page")
        await _send(scope, send, answer.status, answer.headers, answer.body)


async def _send(
    scope: Scope, send: Send, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    if status != 304:
        raw.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _refuse(error: SandboxAgentError, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.code})
        return
    headers = {"content-type": CONTENT_TYPE, "x-content-type-options": "nosniff"}
    if error.http_status == 401:
        headers["www-authenticate"] = "Bearer"
    body = json.dumps(to_problem(error)).encode()
    await _send(scope, send, error.http_status, headers, body)
