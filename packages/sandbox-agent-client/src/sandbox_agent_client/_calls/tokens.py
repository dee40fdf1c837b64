"""`/v1/tokens`."""

from __future__ import annotations

from sandbox_agent_core.api.tokens import CreateToken, TokenCreated, TokenList

from sandbox_agent_client._calls.call import Call, body, nothing, path, reads

__all__ = ["create", "list_all", "revoke"]


def create(request: CreateToken) -> Call[TokenCreated]:
    return Call(method="POST", path=path("tokens"), body=body(request), parse=reads(TokenCreated))


def list_all() -> Call[TokenList]:
    return Call(method="GET", path=path("tokens"), parse=reads(TokenList))


def revoke(id: str) -> Call[None]:
    return Call(method="DELETE", path=path("tokens", id), parse=nothing)
