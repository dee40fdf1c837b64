"""Where a server is and what opens it, looked at before anything is sent.

What HTTP libraries say of a header that they cannot send quotes it, and a token must not be quoted.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import httpx
from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.errors import InvalidRequest, TokenInvalid
from sandbox_agent_core.spi.provider import Endpoint

__all__ = ["check_endpoint", "headers_of", "making_http_client", "shown_url"]

_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def check_endpoint(endpoint: Endpoint) -> Endpoint:
    """The endpoint, when requests can be sent there.

    Raises:
        InvalidRequest: its URL or one of its headers cannot be sent.
        TokenInvalid: its token cannot be.
    """
    _check_url(endpoint.url)
    if endpoint.token is not None and not _HEADER_VALUE.fullmatch(endpoint.token):
        raise TokenInvalid(
            "The token has a line end, a control character or a letter that is not ASCII in it, so it is "
            "no token of a server. One that was read from a file may end in a newline: strip it."
        )
    if endpoint.token_header not in (None, "Authorization", TOKEN_HEADER):
        raise InvalidRequest(
            f"token_header={endpoint.token_header!r}: the server reads Authorization and {TOKEN_HEADER}."
        )
    for name, value in endpoint.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidRequest(f"{name!r} is no name of a header.")
        if not _HEADER_VALUE.fullmatch(value):
            raise InvalidRequest(
                f"The value of the header {name!r} has a line end, a control character or a letter that "
                "is not ASCII in it."
            )
    return endpoint


def headers_of(endpoint: Endpoint) -> dict[str, str]:
    """What goes with every request: the gateway's own headers, and the token beside them."""
    headers = dict(endpoint.headers)
    if endpoint.token is None:
        return headers
    given = endpoint.token_header
    if given is None:
        is_taken = any(name.lower() == "authorization" for name in headers)
        given = TOKEN_HEADER if is_taken else "Authorization"
    if given == "Authorization":
        headers = {
            name: value for name, value in headers.items() if name.lower() != "authorization"
        }
        return headers | {"Authorization": f"Bearer {endpoint.token}"}
    return headers | {given: endpoint.token}


def shown_url(url: str) -> str:
    """For messages: without the user and password that it may have in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextmanager
def making_http_client() -> Iterator[None]:
    """Raises: InvalidRequest when the environment names proxies or certificates that cannot be used."""
    try:
        yield
    except (httpx.InvalidURL, ImportError, OSError, ValueError, ssl.SSLError) as exc:
        raise InvalidRequest(
            "The proxies or certificates that the environment names (ALL_PROXY, HTTPS_PROXY, SSL_CERT_FILE, …) "
            f"cannot be used: {exc}"
        ) from exc


def _check_url(url: str) -> None:
    # Callers without a type checker hand over whatever they have, `{baseUrl: …}` for one.
    if not isinstance(url, str):
        raise InvalidRequest(
            f"The URL of the server is text, not {type(url).__name__}: "
            "SandboxAgent.connect('http://host:2468', token=…)."
        )
    fault = _fault_of(url)
    if fault is not None:
        expected = f"http://{url}" if _HOST_AND_PORT.fullmatch(url) else "http://host:2468"
        raise InvalidRequest(f"The URL of the server {fault}; expected something like {expected}.")


def _fault_of(url: str) -> str | None:
    # `urlsplit` drops some of these silently.
    if any(char.isspace() or not char.isprintable() for char in url):
        return "has white space or control characters in it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        return f"is none ({exc})"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"is not an http:// or https:// URL: {url.rpartition('@')[2]!r}"
    if port == 0:
        return "has no port that can be connected to"
    if parts.query or parts.fragment:
        return "has a query or a fragment"
    try:
        httpx.URL(url)
        parts.hostname.encode(
            "idna"
        )  # asyncio and threads do not agree on names that DNS cannot have
    except (httpx.InvalidURL, UnicodeError) as exc:
        return f"is none ({exc})"
    return None
