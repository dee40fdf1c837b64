"""Who may call the hub: pages of its own, with its own token, which is exchanged for that of the server behind. No I/O."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.errors import PermissionDenied, TokenInvalid

__all__ = ["BEARER_PROTOCOL", "check_origin", "is_admitted", "values_of"]

Scope = Any
BEARER_PROTOCOL = "bearer."
_TICKETED = re.compile(r"/v1/(?:ports/\d+|processes/[^/]+/terminal)(?:/|$)")
"""What a browser opens by a ticket or a cookie of the server's own, which that one looks at."""


def values_of(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def check_origin(scope: Scope, hosts: frozenset[str]) -> None:
    """Pages of others are kept out, also those that go by a name of their own for this machine (DNS rebinding).

    Raises: PermissionDenied.
    """
    if not all(host in hosts for host in values_of(scope, b"host") or [""]):
        raise PermissionDenied("this address is not called by that name")
    for origin in values_of(scope, b"origin"):
        if origin.partition("://")[2] not in hosts:
            raise PermissionDenied(f"pages of {origin!r} may not call this")


def is_admitted(scope: Scope, token: str, *, path: str) -> bool:
    """By the token. False: by none, for what the server behind lets in itself.

    Raises: TokenInvalid.
    """
    shown = list(_shown(scope))
    if not shown and _TICKETED.match(path):
        return False
    if not shown:
        raise TokenInvalid("a token is required: open the link that `sandbox-agent ui` has printed")
    if not all(secrets.compare_digest(one.encode(), token.encode()) for one in shown):
        raise TokenInvalid(
            "the token is of an earlier `sandbox-agent ui`: open the link that it has printed now"
        )
    return True


def _shown(scope: Scope) -> Iterator[str]:
    for value in values_of(scope, b"authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            yield token
    yield from values_of(scope, TOKEN_HEADER.lower().encode())
    if scope["type"] == "websocket":
        for protocol in scope.get("subprotocols", ()):
            if protocol.startswith(BEARER_PROTOCOL):
                yield unquote(protocol.removeprefix(BEARER_PROTOCOL))
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
        yield from (value for name, value in query if name == "access_token")
