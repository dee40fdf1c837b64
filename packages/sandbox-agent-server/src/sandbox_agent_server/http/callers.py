"""Who calls, and what their token lets them do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import CreateSession, PatchSession, ResumeSession
from sandbox_agent_core.api.tokens import TOKEN_SCOPES, TokenScope
from sandbox_agent_core.errors import PermissionDenied
from starlette.requests import HTTPConnection
from starlette.types import Scope

from sandbox_agent_server.http.tickets import Admitted
from sandbox_agent_server.store.tokens import StoredToken

__all__ = [
    "NOBODY",
    "OWNER",
    "Caller",
    "TokenCalls",
    "admission_of",
    "caller_of",
    "check_settings",
    "put_caller",
    "signed",
    "token_of",
]

_KEY = "sandbox_agent.caller"
_ADMITTED = "sandbox_agent.admitted"
_TOKEN = "sandbox_agent.token"  # noqa: S105 - a key of a scope
_ASKING: Final = (None, "ask", "read-only", "plan")
"""Modes in which nothing is allowed that a person did not allow."""
_DECIDING: Final = (
    "mode", "permission_policy", "config_options", "env", "mcp_servers", "base_url", "trust_workspace",
    "agent_options", "additional_directories", "tools",
)  # fmt: skip
"""What decides permissions, or what runs without asking for one."""


@dataclass(frozen=True, slots=True)
class Caller:
    scopes: frozenset[TokenScope]
    actor: str | None = None
    """Whose token it is; None for the server's own, whose holder says who answers."""

    @classmethod
    def of(cls, token: StoredToken) -> Caller:
        return cls(frozenset(token.scopes), token.actor)

    def may(self, scope: TokenScope) -> bool:
        return scope == "read" or scope in self.scopes or "admin" in self.scopes

    def require(self, scope: TokenScope, *, to: str) -> None:
        """Raises: PermissionDenied."""
        if not self.may(scope):
            raise PermissionDenied(
                f"this token may not {to}: that takes the scope `{scope}`, and it has "
                f"{', '.join(sorted(self.scopes))}",
                scope=scope,
            )


OWNER: Final = Caller(frozenset(TOKEN_SCOPES))
"""Who has the server's own token, or calls a server that wants none."""


NOBODY: Final = Caller(frozenset())
"""Who shows no token where none is needed, and is told nothing that is not for everybody."""


class TokenCalls:
    """What is being answered for tokens that can be revoked, streams above all."""

    def __init__(self) -> None:
        self._running: dict[str, set[asyncio.Task[object]]] = {}

    @contextmanager
    def hold(self, token: StoredToken) -> Iterator[None]:
        """A call of this token. It is cut off when the token is revoked."""
        task = asyncio.current_task()
        assert task is not None
        running = self._running.setdefault(token.id, set())
        running.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if self._running.get(token.id) is running:
                raise
            task.uncancel()
        finally:
            running.discard(task)
            if not running and self._running.get(token.id) is running:
                del self._running[token.id]

    def cut_off(self, token: StoredToken) -> None:
        for task in self._running.pop(token.id, set()) - {asyncio.current_task()}:
            task.cancel()


def put_caller(
    scope: Scope,
    caller: Caller,
    admitted: Admitted | None = None,
    token: StoredToken | None = None,
) -> None:
    scope[_KEY] = caller
    scope[_ADMITTED] = admitted
    scope[_TOKEN] = token


def caller_of(connection: HTTPConnection) -> Caller:
    """Raises: KeyError when the guard has not seen the request."""
    caller: Caller = connection.scope[_KEY]
    return caller


def admission_of(connection: HTTPConnection) -> Admitted | None:
    """The ticket or visit that the caller came in by, if it was one."""
    admitted: Admitted | None = connection.scope[_ADMITTED]
    return admitted


def token_of(connection: HTTPConnection) -> StoredToken | None:
    """Whose token it is; None for the server's own."""
    token: StoredToken | None = connection.scope[_TOKEN]
    return token


def check_settings(
    caller: Caller, body: CreateSession | PatchSession | ResumeSession | ForkSession
) -> None:
    """Who may not answer may not set what answers for them. Raises: PermissionDenied."""
    if caller.may("answer"):
        return
    given: Mapping[str, object] = {
        name: getattr(body, name) for name in body.model_fields_set if name in _DECIDING
    }
    for name, value in given.items():
        if name == "mode" and value in _ASKING:
            continue
        if value:
            caller.require("answer", to=f"set `{type(body).model_fields[name].alias}`")


def signed(caller: Caller, body: AnswerRequest) -> AnswerRequest:
    """The answer in the name of who holds the token. Raises: PermissionDenied for another name."""
    if caller.actor is None:
        return body
    if body.actor not in (None, caller.actor):
        raise PermissionDenied(
            f"this token is {caller.actor!r}'s: it cannot answer as {body.actor!r}"
        )
    return body.model_copy(update={"actor": caller.actor})
