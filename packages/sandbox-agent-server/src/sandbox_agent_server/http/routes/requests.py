"""`/v1/sessions/{id}/requests`, and `/v1/requests` of all: what agents ask, and the answers."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from sandbox_agent_core.api.requests import AnswerRequest, RequestKind, RequestList, Resolution
from sandbox_agent_core.errors import (
    InvalidRequest,
    RequestAlreadyResolved,
    RequestNotFound,
    SessionNotFound,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_choice, query_int, query_list, read_body
from sandbox_agent_server.http.callers import caller_of, signed
from sandbox_agent_server.http.large_answer import LargeAnswer, page_of
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.jsonio import dumps, loads

__all__ = ["routes"]

_LIST_LIMIT = 100


async def _list(request: Request) -> LargeAnswer:
    services = services_of(request)
    sessions, session_id = services.sessions, request.path_params["session_id"]
    status = query_choice(request, "status", ("pending", "all"))
    limit = query_int(request, "limit", default=_LIST_LIMIT, minimum=1, maximum=1000)
    cursor = request.query_params.get("cursor")

    def page() -> dict[str, Any]:
        if status == "pending":
            return {"requests": sessions.reader.pending_requests(session_id)}
        asked, next_cursor = sessions.reader.requests(session_id, cursor=cursor, limit=limit)
        return {"requests": asked} | ({"nextCursor": next_cursor} if next_cursor else {})

    limits = services.settings.limits
    return page_of(
        page, services.answers, max_bytes=max(limits.max_page_bytes, limits.max_pending_bytes)
    )


async def _list_all(request: Request) -> LargeAnswer:
    services = services_of(request)
    limit = query_int(request, "limit", default=_LIST_LIMIT, minimum=1, maximum=1000)
    wanted = partial(
        services.sessions.reader.all_pending,
        agents=query_list(request, "agent"),
        kinds=query_list(request, "kind", get_args(RequestKind)),
        after=_place_of(request.query_params.get("cursor")),
    )
    max_bytes = services.settings.limits.max_page_bytes

    def page() -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        size = 0
        for one in wanted():
            if len(found) == limit or (found and size >= max_bytes):
                last = found[-1]
                place = [last["askedAt"], last["sessionId"], last["id"]]
                cursor = urlsafe_b64encode(dumps(place)).decode().rstrip("=")
                return {"requests": found, "nextCursor": cursor}
            found.append(one)
            size += len(dumps(one))
        return {"requests": found}

    return page_of(page, services.answers, max_bytes=max_bytes)


def _place_of(cursor: str | None) -> tuple[str, str, str] | None:
    """Raises: InvalidRequest."""
    if cursor is None:
        return None
    try:
        asked_at, session_id, request_id = loads(
            urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        )
    except (ValueError, TypeError) as exc:
        raise InvalidRequest(
            f"`cursor` {cursor[:64]!r} is not a `nextCursor` of an earlier page"
        ) from exc
    return str(asked_at), str(session_id), str(request_id)


async def _answer(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, AnswerRequest, services.settings.limits)
    signed_body = signed(caller_of(request), body)

    async def answer(_begun: Callable[[], None]) -> Response:
        with services.sessions.session(request.path_params["session_id"]) as session:
            return json_response(session.answer(request.path_params["request_id"], signed_body))

    return await services.once.answer(request, body, answer)


routes = [
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/requests", handler=_list, scope="read", tag="requests",
        summary="Permissions and questions that wait for an answer.", result=RequestList,
        query=[Query("status", {"type": "string", "enum": ["pending", "all"], "default": "pending"},
                     "`all` includes resolved ones, with who decided, in pages. What is pending is bounded by "
                     "`max_pending_requests` and `max_pending_bytes`, and comes whole."),
               Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": _LIST_LIMIT},
                     "Requests in a page of all."),
               Query("cursor", {"type": "string"}, "`nextCursor` of the page before.")],
        errors=[SessionNotFound],
    ),
    ApiRoute(
        method="GET", path="/v1/requests", handler=_list_all, scope="read", tag="requests",
        summary="Whatever waits for an answer, in all sessions, oldest first.", result=RequestList,
        query=[Query("agent", {"type": "string"}, "Only of sessions of this agent; several with commas."),
               Query("kind", {"type": "string", "enum": [*get_args(RequestKind)]}, "Only of this kind; several with commas."),
               Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": _LIST_LIMIT},
                     "Requests in a page."),
               Query("cursor", {"type": "string"}, "`nextCursor` of the page before.")],
    ),
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/requests/{request_id}", handler=_answer, scope="answer",
        tag="requests", summary="Answer one. The first answer wins; a second gets 409.",
        body=AnswerRequest, result=Resolution, is_idempotent=True,
        errors=[SessionNotFound, RequestNotFound, RequestAlreadyResolved, InvalidRequest],
    ),
]  # fmt: skip
