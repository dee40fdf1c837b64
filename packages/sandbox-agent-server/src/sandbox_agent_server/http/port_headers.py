"""What of a request reaches a port of the sandbox, and what of its answer reaches the browser. No I/O.

The answer is written by programs that agents made, and arrives on the origin of this server: what it could do there to
others than itself is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from sandbox_agent_core.api.tokens import TOKEN_HEADER
from starlette.datastructures import Headers
from starlette.types import Scope

from sandbox_agent_server.http.port_origins import has_own_origin
from sandbox_agent_server.http.presented_token import BEARER_PROTOCOL, WEBSOCKET_PROTOCOL
from sandbox_agent_server.http.tickets import TICKET, VISIT_COOKIE, is_ticket
from sandbox_agent_server.settings import is_loopback

__all__ = [
    "OFFERED",
    "Header",
    "is_beneath",
    "prefix_of",
    "request_headers",
    "response_headers",
    "seen_prefix",
    "take_out_credentials",
    "target_of",
    "visit_cookie",
]

Header = tuple[bytes, bytes]

OFFERED: Final = "sandbox_agent.offered_protocol"
"""In a scope: the client offered our subprotocol, and wants one of its own to be chosen."""

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
_OF_THE_HANDSHAKE: Final = b"sec-websocket-"
_FORWARDED: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix",
     b"x-forwarded-port"}
)  # fmt: skip
_IN_A_FRAME: Final = ("SameSite=None", "Secure", "Partitioned")
"""A page on an origin of its own may be in a frame of another site, which keeps such cookies only, and for itself. Browsers
take names below `localhost` for secure without TLS."""
_OF_THE_ORIGIN: Final = frozenset(
    {
        # Each of them speaks for all of the origin, which is not the application's.
        b"service-worker-allowed", b"clear-site-data", b"strict-transport-security", b"alt-svc", b"nel",
        b"report-to", b"reporting-endpoints", b"origin-agent-cluster", b"public-key-pins",
    }
)  # fmt: skip


def take_out_credentials(
    scope: Scope, *, is_ours: Callable[[str], bool], keeps_authorization: bool
) -> None:
    """What opens this server does not go any further. `keeps_authorization`: the caller came in by something else
    than headers, so that `Authorization` is the application's, unless a token of ours is in it."""
    kept: list[Header] = []
    for name, value in scope["headers"]:
        if name == TOKEN_HEADER.lower().encode():
            continue
        if name == b"authorization":
            token = value.decode("latin-1").partition(" ")[2]
            if not keeps_authorization or is_ours(token):
                continue
        elif name == b"cookie":
            value = _without_cookie(value)
            if not value:
                continue
        kept.append((name, value))
    scope["headers"] = kept
    scope["query_string"] = _without_ours(scope.get("query_string", b""))
    if scope["type"] == "websocket":
        offered = scope.get("subprotocols", ())
        scope[OFFERED] = WEBSOCKET_PROTOCOL in offered
        scope["subprotocols"] = [
            name
            for name in offered
            if name != WEBSOCKET_PROTOCOL and not name.startswith(BEARER_PROTOCOL)
        ]


def _without_cookie(value: bytes) -> bytes:
    pairs = (pair.strip() for pair in value.split(b";"))
    return b"; ".join(
        pair for pair in pairs if pair and pair.partition(b"=")[0] != VISIT_COOKIE.encode()
    )


def _without_ours(query: bytes) -> bytes:
    """The rest stays byte for byte."""
    return b"&".join(part for part in query.split(b"&") if not _is_ours(part))


def _is_ours(part: bytes) -> bool:
    pairs = parse_qsl(part.decode("latin-1"), keep_blank_values=True)
    return any(name == TICKET and is_ticket(value) for name, value in pairs)


def prefix_of(port: int) -> str:
    """The path that a port is beneath, without a slash at its end."""
    return f"/v1/ports/{port}"


def seen_prefix(scope: Scope, port: int) -> str:
    """Beneath which the browser sees it: nothing, where the port has an origin of its own."""
    return "" if has_own_origin(scope) else prefix_of(port)


def is_beneath(scope: Scope, port: int) -> bool:
    """Also as it was sent, before it was decoded: what is passed on is cut from that."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    prefix = prefix_of(port).encode()
    return raw == prefix or raw.startswith(prefix + b"/")


def target_of(scope: Scope, port: int) -> bytes:
    """The target of the request to the port: the rest of the path as it was sent, and the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    rest = raw.removeprefix(prefix_of(port).encode()) or b"/"
    query: bytes = scope.get("query_string", b"")
    return rest + (b"?" + query if query else b"")


def request_headers(scope: Scope, port: int) -> list[Header]:
    """For the application, which thinks that it is asked at `localhost`: development servers refuse other names."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    scheme = headers.get("x-forwarded-proto") or _http_scheme(scope)
    dropped = _named_by_connection(headers.getlist("connection")) | _HOP_BY_HOP | _FORWARDED
    kept: list[Header] = [(b"host", b"localhost:%d" % port)]
    for name, value in scope["headers"]:
        if name in dropped or name in (b"host", b"expect") or name.startswith(_OF_THE_HANDSHAKE):
            continue
        if name == b"origin" and _is_this_origin(value.decode("latin-1"), host):
            value = b"http://localhost:%d" % port
        kept.append((name, value))
    client = scope.get("client")
    through = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")]
    # uvicorn has put in the first of them where it trusts who says so.
    if client and client[0] not in through:
        through.append(client[0])
    forwarded = {
        "x-forwarded-for": ", ".join(filter(None, through)),
        "x-forwarded-host": headers.get("x-forwarded-host") or host,
        "x-forwarded-proto": scheme,
        "x-forwarded-prefix": seen_prefix(scope, port),
    }
    kept += [(name.encode(), value.encode("latin-1")) for name, value in forwarded.items() if value]
    if scope["type"] == "http" and "chunked" in headers.get("transfer-encoding", "").lower():
        kept.append((b"transfer-encoding", b"chunked"))
    return kept


def response_headers(headers: Iterable[Header], *, port: int, prefix: str) -> list[Header]:
    """For the client: beneath `prefix`, where it sees the port, whatever the application thinks."""
    lowered = [(name.lower(), value) for name, value in headers]
    connection = [value.decode("latin-1") for name, value in lowered if name == b"connection"]
    # The server says the date by itself.
    dropped = _named_by_connection(connection) | _HOP_BY_HOP | _OF_THE_ORIGIN | {b"date"}
    kept: list[Header] = []
    for name, value in lowered:
        if name in dropped or name.startswith(_OF_THE_HANDSHAKE):
            continue
        if name in (b"location", b"content-location"):
            text = _beneath(value.decode("latin-1"), port, prefix)
            value = text.encode("latin-1")
        elif name == b"set-cookie":
            cookie = _cookie_beneath(value.decode("latin-1"), prefix)
            if cookie is None:
                continue
            value = cookie.encode("latin-1")
        kept.append((name, value))
    return kept


def visit_cookie(value: str, *, prefix: str, max_age_s: float, is_secure: bool) -> Header:
    """Sent back to this port only, and out of reach of the scripts there."""
    attributes = [
        f"{VISIT_COOKIE}={value}",
        f"Path={prefix or '/'}",
        f"Max-Age={round(max_age_s)}",
        "HttpOnly",
        *(["SameSite=Lax", *(["Secure"] if is_secure else [])] if prefix else _IN_A_FRAME),
    ]
    return b"set-cookie", "; ".join(attributes).encode()


def _named_by_connection(values: Iterable[str]) -> frozenset[bytes]:
    """What a `Connection` header says is of this connection only."""
    names = (
        name.strip().lower().encode("latin-1") for value in values for name in value.split(",")
    )
    # Not what says how the message ends, or whose it is.
    return frozenset(names) - {b"", b"content-length", b"host"}


def _http_scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _is_this_origin(origin: str, host: str) -> bool:
    return bool(host) and origin.partition("://")[2] == host


def _beneath(location: str, port: int, prefix: str) -> str:
    """A location of the application as the browser must ask for it; elsewhere stays elsewhere."""
    try:
        parts = urlsplit(location)
        is_here = not parts.netloc or (
            is_loopback(parts.hostname or "")
            and (parts.port or _default_port(parts.scheme)) == port
        )
    except ValueError:
        return location
    if parts.netloc and not is_here:
        return location
    if not parts.netloc and (parts.scheme or not parts.path.startswith("/")):
        return location
    return urlunsplit(("", "", _path_beneath(parts.path, prefix), parts.query, parts.fragment))


def _path_beneath(path: str, prefix: str) -> str:
    """As it is where the application has read `X-Forwarded-Prefix`."""
    if path == prefix or path.startswith(prefix + "/"):
        return path
    return prefix + (path if path.startswith("/") else "/" + path)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _cookie_beneath(cookie: str, prefix: str) -> str | None:
    """None for one that has the name of ours."""
    first, *attributes = cookie.split(";")
    if first.partition("=")[0].strip() == VISIT_COOKIE:
        return None
    kept, path = [first], "/"
    for attribute in attributes:
        name, _, value = attribute.strip().partition("=")
        match name.lower():
            case "domain":
                continue
            case "path":
                path = value if value.startswith("/") else "/"
            case "samesite" | "secure" | "partitioned" if not prefix:
                continue
            case _:
                kept.append(" " + attribute.strip())
    kept += [] if prefix else [f" {attribute}" for attribute in _IN_A_FRAME]
    where = (prefix or "/") if path == "/" else _path_beneath(path, prefix)
    return ";".join([*kept, f" Path={where}"])
