"""The token that a request presents, in whichever of several places a gateway leaves to us."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.errors import TokenInvalid
from starlette.datastructures import Headers
from starlette.types import Scope

__all__ = ["BEARER_PROTOCOL", "WEBSOCKET_PROTOCOL", "presented_token", "shows_token"]

WEBSOCKET_PROTOCOL = "sandbox-agent"
"""A browser cannot set headers on a WebSocket: it offers `sandbox-agent`, which is answered, and
`bearer.<token>`, which never is."""
BEARER_PROTOCOL = "bearer."


def presented_token(scope: Scope, headers: Headers, *, of_query: Sequence[str] = ()) -> str:
    """Of `Authorization: Bearer`, `X-Sandbox-Agent-Token`, or a subprotocol of a WebSocket; and `of_query`, where
    that is allowed.

    An `Authorization` of another scheme is a gateway's, and passed over.

    Raises:
        TokenInvalid: there is none, or there are several and they differ.
    """
    authorizations = headers.getlist("authorization")
    found = [*_bearers(authorizations), *filter(None, headers.getlist(TOKEN_HEADER))]
    found += filter(None, of_query)
    if scope["type"] == "websocket":
        found += _of_protocols(scope.get("subprotocols", ()))
    if not found:
        other = "what `Authorization` has is no Bearer token; " if any(authorizations) else ""
        raise TokenInvalid(
            f"a token is required: {other}send `Authorization: Bearer TOKEN`, or `{TOKEN_HEADER}: TOKEN` where a "
            "gateway wants that header for itself. The server printed its token when it started, unless one was "
            "given to it."
        )
    first = found[0].encode()
    if not all(secrets.compare_digest(first, other.encode()) for other in found[1:]):
        raise TokenInvalid(
            f"several tokens were sent (Authorization, {TOKEN_HEADER}, subprotocols, query), and they differ: send one"
        )
    return found[0]


def shows_token(headers: Headers) -> bool:
    """Whether a request means to show one, right or wrong. What is no Bearer token counts: it is a mistake more often than
    a gateway's."""
    return "authorization" in headers or TOKEN_HEADER in headers


def _bearers(authorizations: Iterable[str]) -> Iterator[str]:
    for value in authorizations:
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer" and token:
            yield token


def _of_protocols(protocols: Iterable[str]) -> Iterator[str]:
    """Percent-encoded where the token has characters that no subprotocol may have."""
    for protocol in protocols:
        if protocol.startswith(BEARER_PROTOCOL):
            yield unquote(protocol.removeprefix(BEARER_PROTOCOL))
