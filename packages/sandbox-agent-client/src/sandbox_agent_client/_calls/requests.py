"""`/v1/sessions/{id}/requests` and `/v1/requests`: what an agent asks a person, and what it is about.

Agents ask in any shape, and whoever waits for a permission must be shown it: what is malformed in one is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.api.requests import AnswerRequest, RequestInfo, RequestList, Resolution
from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.events import PermissionOption, Question, ToolCallFields
from sandbox_agent_core.lenient import as_id, as_str, compact
from sandbox_agent_core.projection.requests import asked_for
from sandbox_agent_core.surrogates import mended

from sandbox_agent_client._calls.call import Call, body, built, joined, path, query, reads

__all__ = [
    "answer",
    "list_all_requests",
    "list_requests",
    "options_of",
    "questions_of",
    "tool_call_of",
]

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)


def list_requests(
    session_id: str,
    *,
    status: Literal["pending", "all"] = "pending",
    cursor: str | None = None,
) -> Call[RequestList]:
    return Call(
        method="GET",
        path=path("sessions", session_id, "requests"),
        query=query(status=status, cursor=cursor),
        parse=partial(_list, session_id=session_id),
    )


def list_all_requests(
    *,
    kind: str | Sequence[str] | None = None,
    agent: str | Sequence[str] | None = None,
    cursor: str | None = None,
) -> Call[RequestList]:
    """What waits in all sessions."""
    return Call(
        method="GET",
        path=path("requests"),
        query=query(kind=joined(kind), agent=joined(agent), cursor=cursor),
        parse=_list,
    )


def answer(session_id: str, request_id: str, **members: Any) -> Call[Resolution]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "requests", request_id),
        body=body(built(AnswerRequest, **members)),
        parse=reads(Resolution),
        is_once=True,
    )


def tool_call_of(info: RequestInfo) -> ToolCallFields | None:
    """The tool call as events tell it; one that the agent gave no id has that of the request."""
    if not info.tool_call:
        return None
    fields = asked_for(info.tool_call, {}, info.id).get("toolCall")
    return None if fields is None else _read(ToolCallFields, fields)


def options_of(info: RequestInfo) -> list[PermissionOption]:
    """Those that can be chosen. `info.options` has all, as the agent gave them."""
    return [
        PermissionOption(
            option_id=option_id,
            **compact(name=as_str(option.get("name")), kind=as_str(option.get("kind"))),
        )
        for option in info.options
        if (option_id := as_id(option.get("optionId"))) is not None
    ]


def questions_of(info: RequestInfo) -> list[Question]:
    return list(_readable(Question, info.questions))


def _list(document: Any, *, session_id: str | None = None) -> RequestList:
    requests = document.get("requests") if isinstance(document, Mapping) else None
    if not isinstance(requests, list):
        raise InternalError(
            "The server's answer is not a list of requests: is this a sandbox-agent server?"
        )
    return RequestList(
        requests=[
            info.model_copy(update={"session_id": info.session_id or session_id})
            for info in _readable(RequestInfo, mended(requests))
        ],
        next_cursor=as_str(document.get("nextCursor")),
    )


def _readable(cls: type[Model], items: Iterable[Any]) -> Iterable[Model]:
    for item in items:
        if (model := _read(cls, item)) is not None:
            yield model


def _read(cls: type[Model], item: Any) -> Model | None:
    """The model without the members that do not fit; None, and a word in the log, when nothing is left."""
    try:
        return cls.model_validate(item)
    except ValidationError as exc:
        misfits = {error["loc"][0] for error in exc.errors() if error["loc"]}
        if not isinstance(item, Mapping) or not misfits & item.keys():
            logger.warning("not a %s, passed over: %s", cls.__name__, exc)
            return None
        return _read(cls, {name: value for name, value in item.items() if name not in misfits})
