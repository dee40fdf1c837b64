"""`/v1/config/mcp` and `/v1/config/skills`: what sessions in a directory get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel
from sandbox_agent_core.api.config import (
    CONFIG_NAME_MAX_CHARS,
    McpConfigList,
    McpServerConfig,
    SkillsConfig,
    SkillsConfigList,
)
from sandbox_agent_core.errors import (
    ConfigDamaged,
    ConfigNotFound,
    InvalidRequest,
    PathForbidden,
    PathNotFound,
    PayloadTooLarge,
    SandboxAgentError,
    StorageError,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.host.config.store import ConfigKind
from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of

__all__ = ["routes"]

Handler = Callable[[Request], Awaitable[Any]]


def _get(kind: ConfigKind, parameter: str, member: str) -> Handler:
    async def get(request: Request) -> Response:
        store, directory = services_of(request).config, _required(request, "directory")
        name = request.query_params.get(parameter)
        if name is None:
            return json_response({member: await store.all(kind, directory)})
        return json_response(await store.get(kind, directory, name))

    return get


def _put(kind: ConfigKind, parameter: str, model: type[BaseModel]) -> Handler:
    async def put(request: Request) -> Response:
        services = services_of(request)
        directory, name = _required(request, "directory"), _required(request, parameter)
        config = await read_body(request, model, services.settings.limits)
        await services.config.put(kind, directory, name, config)
        return Response(status_code=204)

    return put


def _delete(kind: ConfigKind, parameter: str) -> Handler:
    async def delete(request: Request) -> Response:
        directory, name = _required(request, "directory"), _required(request, parameter)
        await services_of(request).config.delete(kind, directory, name)
        return Response(status_code=204)

    return delete


def _required(request: Request, name: str) -> str:
    """Raises: InvalidRequest."""
    value = request.query_params.get(name)
    if not value:
        raise InvalidRequest(f"missing required {name!r} query parameter")
    return value


def _routes(
    kind: ConfigKind,
    parameter: str,
    what: str,
    model: type[BaseModel],
    listed: type[BaseModel],
    member: str,
) -> list[ApiRoute]:
    path = f"/v1/config/{kind}"
    in_path: list[type[SandboxAgentError]] = [
        PathNotFound,
        PathForbidden,
        ConfigDamaged,
        PayloadTooLarge,
    ]
    directory = Query(
        "directory", {"type": "string", "minLength": 1},
        "Whose sessions are meant; relative to the server's root, else to its working directory.",
        required=True,
    )  # fmt: skip
    named = {"type": "string", "minLength": 1, "maxLength": CONFIG_NAME_MAX_CHARS}
    name = Query(parameter, named, "Its name.", required=True)
    return [
        ApiRoute(
            method="GET", path=path, handler=_get(kind, parameter, member), scope="host", tag="config",
            summary=f"{what} of a directory; all of them without `{parameter}`.", result=model,
            query=[directory, Query(parameter, named, "Only this one.")], errors=[ConfigNotFound, *in_path],
            extra={"all": listed},
        ),
        ApiRoute(
            method="PUT", path=path, handler=_put(kind, parameter, model), scope="host", tag="config", status=204,
            summary=f"{what}: make or replace. Sessions that begin in the directory afterwards get it.",
            body=model, query=[directory, name], errors=[*in_path, StorageError],
        ),
        ApiRoute(
            method="DELETE", path=path, handler=_delete(kind, parameter), scope="host", tag="config", status=204,
            summary=f"{what}: remove. One that is not there is none afterwards.",
            query=[directory, name], errors=[*in_path, StorageError],
        ),
    ]  # fmt: skip


routes = [
    *_routes("mcp", "mcpName", "An MCP server", McpServerConfig, McpConfigList, "servers"),
    *_routes("skills", "skillName", "Skills", SkillsConfig, SkillsConfigList, "skills"),
]
