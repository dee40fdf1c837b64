"""Bodies of `/v1/tokens`: who may call a server, and what they may do."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "TOKEN_HEADER",
    "TOKEN_SCOPES",
    "CreateToken",
    "TokenCreated",
    "TokenInfo",
    "TokenList",
    "TokenScope",
]

TOKEN_HEADER: Final = "X-Sandbox-Agent-Token"  # noqa: S105 - the name of a header
"""Where the token goes when a gateway wants `Authorization` for itself."""

TokenScope = Literal["read", "prompt", "answer", "host", "admin"]
"""`read`: look at everything but tokens; every token may. `prompt`: make, prompt, cancel and end sessions.
`answer`: answer permissions and questions, and set what decides them: mode, policy, options, and what a session's
agent is started with. `host`: use the sandbox as a computer: its files, processes, terminals, ports and
configuration; who may run a program there can do whatever the server can. `admin`: everything.
"""
TOKEN_SCOPES: tuple[TokenScope, ...] = get_args(TokenScope)


class CreateToken(RequestBody):
    actor: str = Field(
        min_length=1,
        max_length=256,
        description="Who holds it. Answers given with it are recorded as this actor's, whatever they say.",
    )
    scopes: list[TokenScope] = Field(min_length=1, description="What it may do, besides reading.")
    expires_in_s: float | None = Field(
        default=None, gt=0, le=10 * 365 * 86400, description="Seconds; default: until revoked."
    )


class TokenInfo(ResponseBody):
    id: str
    actor: str
    scopes: list[TokenScope]
    created_at: str = Field(description="RFC 3339, UTC.")
    expires_at: str | None = None


class TokenCreated(TokenInfo):
    token: str = Field(repr=False, description="The token itself. Never shown again.")


class TokenList(ResponseBody):
    tokens: list[TokenInfo]
