"""Tickets: what opens one terminal or one port for a while, for browsers, which can send no header.

A ticket goes into a query, so it is short-lived. For a port it is exchanged for a visit, which is a cookie of that
port's path alone. Both are signed statements: the server keeps none of them, and they end with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl

from sandbox_agent_core.api.tickets import TicketKind
from sandbox_agent_core.errors import TokenInvalid
from starlette.datastructures import Headers
from starlette.types import Scope

from sandbox_agent_server.store.tokens import StoredToken

__all__ = [
    "ACCESS_TOKEN",
    "TICKET",
    "VISIT_COOKIE",
    "Admitted",
    "Resource",
    "Tickets",
    "cookies_of",
    "is_ticket",
    "query_values",
    "resource_of",
]

TICKET: Final = "ticket"
"""The parameter of a query; what is no ticket of ours in it is the application's."""
ACCESS_TOKEN: Final = "access_token"  # noqa: S105 - the name of a parameter
"""Of the query of a terminal, and nowhere else: what other clients send a token as."""
VISIT_COOKIE: Final = "sandbox-agent-visit"

_PREFIX: Final = "stk_"
_PORT: Final = re.compile(r"/v1/ports/(\d{1,5})(?:/.*)?", re.S | re.ASCII)
_TERMINAL: Final = re.compile(r"/v1/processes/([^/]+)/terminal/ws")

Purpose = Literal["ticket", "visit"]


class Resource(NamedTuple):
    kind: TicketKind
    name: str
    """The id of a process, or the number of a port."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in by a ticket or a visit."""

    purpose: Purpose
    expires_s: float
    token: StoredToken | None
    """On whose behalf; None for the server's own token."""


def resource_of(scope: Scope) -> Resource | None:
    """What tickets are good for, of what is asked for. By the decoded path, which is the one that is routed."""
    path: str = scope["path"]
    if match := _PORT.fullmatch(path):
        return Resource("port", str(int(match[1])))
    if match := _TERMINAL.fullmatch(path):
        return Resource("terminal", match[1])
    return None


def is_ticket(text: str) -> bool:
    """It looks like one of ours, valid or not."""
    return text.startswith(_PREFIX)


class Tickets:
    """`find_token` gives a token by its id, as long as it is valid: what was made with it ends with it."""

    def __init__(
        self,
        find_token: Callable[[str], StoredToken | None],
        *,
        visit_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._find_token = find_token
        self._visit_s = visit_s
        self._now_s = now_s
        self._key = secrets.token_bytes(32)

    def ticket(
        self, resource: Resource, *, ttl_s: float, token: StoredToken | None
    ) -> tuple[str, float]:
        """Its text, and when it ends, in seconds since 1970."""
        expires_s = self._now_s() + ttl_s
        return self._sign("ticket", resource, expires_s, token), expires_s

    def visit(self, resource: Resource, admitted: Admitted) -> tuple[str, float]:
        """What a ticket is exchanged for, and for how many seconds it is good."""
        expires_s = self._now_s() + self._visit_s
        return self._sign("visit", resource, expires_s, admitted.token), self._visit_s

    def presented(self, scope: Scope, headers: Headers, resource: Resource) -> Admitted | None:
        """By a ticket, or else by a visit; None when the request brings neither.

        Raises:
            TokenInvalid: there is a ticket, and it is not good (any more).
        """
        # Also of somebody with a visit: who is admitted by a ticket is led to an address without it.
        given = [text for text in query_values(scope, TICKET) if is_ticket(text)]
        for text in given:
            if (admitted := self._read(text, "ticket", resource)) is not None:
                return admitted
        if resource.kind == "port":
            for value in cookies_of(headers, VISIT_COOKIE):
                if (admitted := self._read(value, "visit", resource)) is not None:
                    return admitted
        if given:
            raise TokenInvalid(
                f"the ticket is not good for this {resource.kind}, or has expired: make a new one with "
                "POST /v1/tickets"
            )
        return None

    def _sign(
        self, purpose: Purpose, resource: Resource, expires_s: float, token: StoredToken | None
    ) -> str:
        statement = [purpose, *resource, expires_s, token.id if token is not None else None]
        body = _b64(json.dumps(statement, separators=(",", ":")).encode())
        return f"{_PREFIX}{body}.{self._mac(body)}"

    def _read(self, text: str, purpose: Purpose, resource: Resource) -> Admitted | None:
        body, _, mac = text.removeprefix(_PREFIX).partition(".")
        if not text.isascii() or not hmac.compare_digest(mac, self._mac(body)):
            return None
        said_purpose, kind, name, expires_s, token_id = json.loads(
            base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        )
        if (said_purpose, kind, name) != (purpose, *resource) or self._now_s() >= expires_s:
            return None
        token = None if token_id is None else self._find_token(token_id)
        if token_id is not None and token is None:
            return None
        return Admitted(purpose, expires_s, token)

    def _mac(self, body: str) -> str:
        return _b64(hmac.digest(self._key, body.encode(), hashlib.sha256))


def query_values(scope: Scope, name: str) -> list[str]:
    query = scope.get("query_string", b"").decode("latin-1")
    return [value for key, value in parse_qsl(query, keep_blank_values=True) if key == name]


def cookies_of(headers: Headers, name: str) -> list[str]:
    pairs = (pair.strip() for line in headers.getlist("cookie") for pair in line.split(";"))
    return [value for key, _, value in (pair.partition("=") for pair in pairs) if key == name]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
