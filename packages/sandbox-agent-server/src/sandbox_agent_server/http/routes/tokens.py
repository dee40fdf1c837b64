"""`/v1/tokens`: make, list and revoke tokens besides the server's own."""

from __future__ import annotations

from sandbox_agent_core.api.tokens import CreateToken, TokenCreated, TokenInfo, TokenList
from sandbox_agent_core.errors import LimitReached, StorageError, TokenNotFound
from sandbox_agent_core.frames.entry import rfc3339
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.store.tokens import StoredToken

__all__ = ["routes"]


async def _create(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, CreateToken, services.settings.limits)
    made, text = services.tokens.create(
        actor=body.actor, scopes=body.scopes, expires_in_s=body.expires_in_s
    )
    return json_response(TokenCreated(**_info(made).model_dump(), token=text), 201)


async def _list(request: Request) -> Response:
    tokens = [_info(token) for token in services_of(request).tokens.list()]
    return json_response(TokenList(tokens=tokens))


async def _revoke(request: Request) -> Response:
    services = services_of(request)
    services.token_calls.cut_off(services.tokens.revoke(request.path_params["token_id"]))
    return Response(status_code=204)


def _info(token: StoredToken) -> TokenInfo:
    return TokenInfo(
        id=token.id,
        actor=token.actor,
        scopes=list(token.scopes),
        created_at=rfc3339(round(token.created_s * 1000)),
        expires_at=None if token.expires_s is None else rfc3339(round(token.expires_s * 1000)),
    )


routes = [
    ApiRoute(
        method="POST", path="/v1/tokens", handler=_create, tag="tokens", scope="admin", status=201,
        summary="Make a token for somebody, with what it may do. Its text is in this answer only.",
        body=CreateToken, result=TokenCreated, errors=[LimitReached, StorageError],
    ),
    ApiRoute(
        method="GET", path="/v1/tokens", handler=_list, tag="tokens", scope="admin",
        summary="The tokens that were made and are valid; the server's own is not among them.",
        result=TokenList,
    ),
    ApiRoute(
        method="DELETE", path="/v1/tokens/{token_id}", handler=_revoke, tag="tokens", scope="admin", status=204,
        summary="Revoke one: it is refused from now on, and what it follows ends.",
        errors=[TokenNotFound, StorageError],
    ),
]  # fmt: skip
