"""What of a request goes on to a server, and what of its answer comes back. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._endpoint import headers_of

__all__ = ["answer_headers", "request_headers", "target_of"]

Headers = list[tuple[bytes, bytes]]

_OF_A_CONNECTION = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip
_OURS = {b"host", b"origin", b"referer", b"authorization", TOKEN_HEADER.lower().encode()}
"""Looked at here; the server behind would take them for those of a page that it does not know."""
_PATH = re.compile(rb"(;\s*path=)(/[^;]*)", re.IGNORECASE)
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


def answer_headers(headers: Iterable[tuple[bytes, bytes]], *, prefix: bytes, url: str) -> Headers:
    """With what leads to a place on the server leading there through the hub."""
    given = [(name.lower(), value) for name, value in headers]
    unwanted = _OF_A_CONNECTION | _named(given)
    found: Headers = []
    for name, value in given:
        if name in unwanted:
            continue
        if name == b"location":
            value = _through(value, prefix=prefix, url=url.rstrip("/").encode())
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


def _through(location: bytes, *, prefix: bytes, url: bytes) -> bytes:
    if location.startswith(url + b"/"):
        return prefix + location.removeprefix(url)
    is_path = location.startswith(b"/") and not location.startswith(b"//")
    return prefix + location if is_path else location
