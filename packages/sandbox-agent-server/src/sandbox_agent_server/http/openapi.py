"""`/openapi.json`, from the route table and the models of core."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from sandbox_agent_core.api.events import EventPage, FeedPage
from sandbox_agent_core.api.tokens import TOKEN_HEADER
from sandbox_agent_core.errors import (
    HeadTooLarge,
    IdempotencyKeyReused,
    InternalError,
    InvalidRequest,
    LimitReached,
    OutcomeUnknown,
    PayloadTooLarge,
    PermissionDenied,
    RequestTimeout,
    SandboxAgentError,
    SessionNotFound,
    StorageError,
    TokenInvalid,
    Unavailable,
    UnsupportedMediaType,
)
from sandbox_agent_core.wire.problem import CONTENT_TYPE

from sandbox_agent_server.http.idempotency import HEADER, MAX_KEY_CHARS, REPLAYED
from sandbox_agent_server.http.openapi_events import ANY_EVENT, event_schemas
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, Query

__all__ = ["describe"]

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:sandbox-agent:error:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was expected, what came, what to do."},
        "retryable": {"type": "boolean"},
        "details": {"type": "object"},
    },
}
_ANYWHERE: tuple[type[SandboxAgentError], ...] = (
    InvalidRequest, TokenInvalid, PermissionDenied, RequestTimeout, HeadTooLarge, InternalError, Unavailable,
)  # fmt: skip
_OF_A_BODY: tuple[type[SandboxAgentError], ...] = (PayloadTooLarge, UnsupportedMediaType)
_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    "description": "Made by the caller, a new one for each request. A request that comes again with the key and "
    f"the body of before is not carried out again: it gets the first answer, with `{REPLAYED}: true`. Kept for "
    "a day, also when the server starts again.",
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_REF = "#/components/schemas/{model}"


def describe(
    routes: Sequence[ApiRoute], *, version: str, websockets: Sequence[ApiWebSocket] = ()
) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    models = _models(routes)
    refs, definitions = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template=_REF
    )
    schemas = {**definitions.get("$defs", {}), **event_schemas(), "Problem": _PROBLEM}
    for page in {EventPage.__name__, FeedPage.__name__} & set(schemas):
        schemas[page]["properties"]["events"]["items"] = dict(ANY_EVENT)
    of_model: dict[Any, Any] = {model: schema for (model, _), schema in refs.items()}
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.documented_path, {})[route.method.lower()] = _operation(
            route, of_model
        )
    for websocket in websockets:
        _add_websocket(paths.setdefault(websocket.path, {}), websocket)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sandbox-agent",
            "version": version,
            "description": "Run coding agents in a sandbox; watch and steer them from outside.",
        },
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER},
            },
        },
    }


def _models(routes: Sequence[ApiRoute]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {}
    for route in routes:
        for model in (route.body, route.result, *route.extra.values()):
            if model is not None:
                found[model] = None
    return list(found)


def _operation(route: ApiRoute, of_model: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.tag],
        "operationId": _operation_id(route),
        "security": _security(route.scope) + ([{}] if route.is_open else []),
        "parameters": _parameters(route),
        "responses": _responses(route, of_model),
    }
    if route.body is not None:
        schema = {"schema": of_model[route.body]}
        operation["requestBody"] = {"content": {"application/json": schema}}
    elif route.takes:
        operation["requestBody"] = {"content": {kind: dict(_BYTES) for kind in route.takes}}
    return operation


def _security(scope: str) -> list[dict[str, Any]]:
    return [{"bearer": [scope]}, {"header": [scope]}]


def _parameters(route: ApiRoute) -> list[dict[str, Any]]:
    return [
        *_of_path(route.documented_path, route.in_path),
        *_listed("query", route.query),
        *_listed("header", route.headers),
        *([_IDEMPOTENCY_KEY] if route.is_idempotent else []),
    ]


def _of_path(path: str, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": dict(schemas.get(name, {"type": "string"})),
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _listed(where: str, queries: Sequence[Query]) -> list[dict[str, Any]]:
    return [
        {
            "name": query.name,
            "in": where,
            "schema": query.schema,
            "description": query.description,
            **({"required": True} if query.required else {}),
        }
        for query in queries
    ]


def _responses(route: ApiRoute, of_model: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if route.result is not None:
        schema = of_model[route.result]
        if "all" in route.extra:
            schema = {"anyOf": [schema, of_model[route.extra["all"]]]}
        content["application/json"] = {"schema": schema}
    if route.streams is not None:
        content["text/event-stream"] = {"schema": _stream_event(route)}
    content |= {kind: dict(_BYTES) for kind in route.gives}
    success: dict[str, Any] = {"description": "Success"}
    if content:
        success["content"] = content
    responses: dict[str, Any] = {str(route.status): success}
    if "wait" in route.extra:
        schema = {"schema": of_model[route.extra["wait"]]}
        responses["200"] = {
            "description": "With `wait=true`: the turn has ended.",
            "content": {"application/json": schema},
        }
    of_body = _OF_A_BODY if route.body is not None else ()
    of_session = (SessionNotFound, StorageError) if "{session_id}" in route.path else ()
    of_stream = (LimitReached,) if route.streams is not None else ()
    of_key = (IdempotencyKeyReused, OutcomeUnknown) if route.is_idempotent else ()
    possible = (*_ANYWHERE, *of_body, *of_session, *of_stream, *of_key, *route.errors)
    for error in dict.fromkeys(possible):
        _add_error(responses, error)
    return responses


def _stream_event(route: ApiRoute) -> dict[str, Any]:
    """One event of a stream, as the standard names its parts."""
    data: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
    if route.streams_events:
        data["contentSchema"] = dict(ANY_EVENT)
    return {
        "type": "object",
        "description": f"One event of the stream. {route.streams}",
        "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": data},
    }


def _add_error(responses: dict[str, Any], error: type[SandboxAgentError]) -> None:
    known = responses.setdefault(
        str(error.http_status),
        {
            "description": "",
            "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
        },
    )
    codes = [part for part in known["description"].split(", ") if part]
    known["description"] = ", ".join(dict.fromkeys([*codes, error.code]))


def _operation_id(route: ApiRoute) -> str:
    """`/acp` is another route than `/v1/acp`."""
    version, *words = re.findall(r"\w+", route.documented_path) or [""]
    below = words if version == "v1" else filter(None, ["root", version, *words])
    return "_".join([route.method.lower(), *below])


def _add_websocket(operations: dict[str, Any], websocket: ApiWebSocket) -> None:
    """A handshake is a GET: where there is one already, it is another answer of that."""
    operation = operations.setdefault(
        "get",
        {
            "summary": f"WebSocket: {websocket.summary}",
            "tags": [websocket.tag],
            "operationId": "_".join([*re.findall(r"\w+", websocket.path), "websocket"]),
            "security": _security(websocket.scope),
            "parameters": _of_path(websocket.path, {}) + _listed("query", websocket.query),
            "responses": {},
        },
    )
    operation["responses"]["101"] = {"description": f"A WebSocket. {websocket.summary}"}
    for error in _ANYWHERE:
        _add_error(operation["responses"], error)
