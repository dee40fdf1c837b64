"""What of a request goes on to a server, and what of its answer comes back. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._endpoint import headers_of

__all__ = ["Headers", "answer_headers", "request_headers", "target_of"]

Headers = list[tuple[bytes, bytes]]

_OF_A_CONNECTION = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip
_OURS = {b"host", b"origin", b"referer", b"authorization", TOKEN_HEADER.lower().encode()}
"""Looked at here; the server behind would take them for those of a page that it does not know."""
_OF_AN_ORIGIN = {b"clear-site-data", b"service-worker-allowed"}
"""What a server says of its whole origin, which is the hub's and all others', too."""
_PATH = re.compile(rb"(;\s*path\s*=\s*)(/[^;]*)", re.IGNORECASE)
_ALONE = b"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts"
"""A page of a sandbox is nobody's here: it would share an origin, and so a token, with all the others."""


def target_of(scope: Any, endpoint: Endpoint, path: bytes) -> str:
    """`path` as it was written, with nothing decoded. A token in the query is ours."""
    query = scope.get("query_string", b"").decode("latin-1")
    if "access_token=" in query:
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if name != "access_token"])
    url = endpoint.url.rstrip("/") + path.decode("latin-1")
    return f"{url}?{query}" if query else url


def request_headers(scope: Any, endpoint: Endpoint, *, is_admitted: bool) -> Headers:
    """Those of a handshake of WebSockets are made anew."""
    own = headers_of(endpoint) if is_admitted else dict(endpoint.headers)
    unwanted = _OF_A_CONNECTION | _OURS | _named(scope["headers"])
    unwanted |= {name.lower().encode() for name in own}
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in unwanted and not name.startswith(b"sec-websocket-")
    ]
    return kept + [(name.encode(), value.encode()) for name, value in own.items()]


def answer_headers(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    prefix: bytes,
    url: str,
    target: str,
    port: int | None,
) -> Headers:
    """With what leads to a place on the server leading there through the hub. `target` is what was asked for, below
    `url`; `port` is the hub's own."""
    given = [(name.lower(), value) for name, value in headers]
    unwanted = _OF_A_CONNECTION | _OF_AN_ORIGIN | _named(given)
    found: Headers = []
    for name, value in given:
        if name in unwanted:
            continue
        if name == b"location":
            goal = _goal(value.decode("latin-1"), target)
            place = None if goal is None else _through(goal, prefix, url.rstrip("/"), port)
            if place is None:
                continue
            value = place
        elif name == b"set-cookie":
            value = _PATH.sub(lambda match: match[1] + prefix + match[2], value)
        found.append((name, value))
    return [*found, (b"content-security-policy", _ALONE)]


def _named(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """By `Connection`: of the connection, too."""
    return {
        part.strip().lower()
        for name, value in headers
        if name == b"connection"
        for part in value.split(b",")
    }


def _goal(location: str, target: str) -> str | None:
    """The address that a browser makes of it, which takes backslashes and `%2e` for what they look like."""
    path = re.split("[?#]", location, maxsplit=1)[0]
    rest = location[len(path) :]
    path = re.sub(r"[\t\r\n]", "", path).replace("\\", "/")
    path = re.sub("%2e", ".", path, flags=re.IGNORECASE)
    try:
        return urljoin(target, path + rest)
    except ValueError:
        return None


def _through(goal: str, prefix: bytes, url: str, port: int | None) -> bytes | None:
    """None for what leads to the hub itself: a server would send the page, with its token, to another server."""
    if goal.startswith(url) and goal[len(url) :][:1] in ("", "/", "?", "#"):
        return prefix + (goal[len(url) :] or "/").encode("latin-1")
    parts = urlsplit(goal)
    try:
        is_elsewhere = parts.scheme in ("http", "https") and (port is None or parts.port != port)
    except ValueError:
        return None
    return goal.encode("latin-1") if is_elsewhere else None
