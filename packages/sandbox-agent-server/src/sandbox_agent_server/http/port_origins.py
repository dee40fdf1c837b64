"""Ports on origins of their own: at `port-3000.localhost` a page shares no storage, no cookie and no path with this server.

Browsers take names below `localhost` to their own machine, so it works where they reach the server by a loopback address.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox_agent_server.settings import is_loopback

__all__ = ["PortOrigins", "has_own_origin", "is_name_of_port", "origin_of", "origins_of"]

_OWN: Final = "sandbox_agent.own_origin_of_port"
_NAME: Final = re.compile(r"port-([1-9]\d{0,4})\.localhost", re.ASCII | re.IGNORECASE)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
_BELOW_LOCALHOST: Final = b".localhost"


class PortOrigins:
    """In front of everything: what is asked by the name of a port is that port's, whatever its path is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            port = _port_asked(scope)
            if port is not None:
                scope = _beneath(scope, f"/v1/ports/{port}")
        await self._app(scope, receive, send)


def is_name_of_port(hostname: str) -> bool:
    return _NAME.fullmatch(hostname) is not None


def has_own_origin(scope: Scope) -> bool:
    """The browser sees the port at the root of an origin, not beneath a path of the server's."""
    return _OWN in scope


def origin_of(port: int, scope: Scope) -> str | None:
    """Of a port, for the browser that asks; None where a name below `localhost` would lead it elsewhere."""
    suffix = _reached_at(scope)
    return None if suffix is None else f"http://port-{port}.localhost{suffix}"


def origins_of(scope: Scope) -> str | None:
    """All of them, as a source of a Content-Security-Policy."""
    suffix = _reached_at(scope)
    return None if suffix is None else f"http://*.localhost{suffix}"


def _port_asked(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"host":
            # Nearly no request is for one of them.
            if _BELOW_LOCALHOST not in value.lower():
                return None
            host = _HOST.fullmatch(value.decode("latin-1"))
            found = _NAME.fullmatch(host[1]) if host else None
            return int(found[1]) if found else None
    return None


def _beneath(scope: Scope, prefix: str) -> Scope:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return {
        **scope,
        "path": prefix + scope["path"],
        "raw_path": prefix.encode() + raw,
        _OWN: True,
    }


def _reached_at(scope: Scope) -> str | None:
    """`:2468`, or nothing for the default; None: not by a loopback address, or through somebody in between."""
    headers = Headers(scope=scope)
    if "x-forwarded-host" in headers or "forwarded" in headers or "via" in headers:
        return None
    scheme = headers.get("x-forwarded-proto") or scope.get("scheme", "http")
    host = _HOST.fullmatch(headers.get("host", ""))
    if scheme not in ("http", "ws") or host is None or not is_loopback(host[1].lower()):
        return None
    return host[2] or ""
