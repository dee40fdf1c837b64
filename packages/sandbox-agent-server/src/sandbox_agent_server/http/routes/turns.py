"""Turns of a session: begin one with a prompt, look at it, cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from sandbox_agent_core.api.git import SessionDiff
from sandbox_agent_core.api.prompts import (
    CancelRequest,
    CancelResult,
    PromptAccepted,
    PromptRequest,
    PromptResult,
)
from sandbox_agent_core.api.turns import TurnInfo, TurnList
from sandbox_agent_core.errors import (
    CostUnknown,
    GitFailed,
    GitNotInstalled,
    LimitReached,
    SessionNotFound,
    Timeout,
    TurnNotFound,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool, query_int, read_body
from sandbox_agent_server.http.large_answer import LargeAnswer, page_of
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import MAX_SEQ
from sandbox_agent_server.http.turns import TURN_ERRORS, WAIT, answer_with_turn
from sandbox_agent_server.sessions.turn import Turn
from sandbox_agent_server.sessions.turn_lookup import look_up_turn, look_up_turns

__all__ = ["routes"]

_LIST_LIMIT: Final = 1000
_MAX_LIST: Final = 10_000
_WAIT_FOR_END: Final = Query(
    "wait",
    {"type": "boolean", "default": False},
    "Answer when the turns have ended, at the latest after `cancel_wait_s` (20 s), with how they ended.",
)


async def _prompt(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, PromptRequest, services.settings.limits)
    return await answer_with_turn(
        request,
        body,
        lambda session: session.prompt(body.blocks(), body.output_schema, body.limits),
    )


async def _get(request: Request) -> Response:
    log = services_of(request).sessions.reader.log(request.path_params["session_id"])
    return json_response(await look_up_turn(log, request.path_params["turn_id"]))


async def _list(request: Request) -> LargeAnswer:
    services = services_of(request)
    log = services.sessions.reader.log(request.path_params["session_id"])
    limit = query_int(request, "limit", default=_LIST_LIMIT, minimum=1, maximum=_MAX_LIST)
    after = query_int(request, "after", default=0, minimum=0, maximum=MAX_SEQ)
    before = query_int(request, "before", default=0, minimum=1, maximum=MAX_SEQ)
    turns = await services.turns.turns(log)

    def page() -> TurnList:
        found = sorted(turns, key=lambda turn: turn.seq)
        wanted = [turn for turn in found if turn.seq > after and (not before or turn.seq < before)]
        # From the end, when that is what was asked for; else from the beginning.
        kept = wanted[-limit:] if before else wanted[:limit]
        return TurnList(
            turns=kept,
            next_cursor=kept[-1].seq if kept and kept[-1] is not found[-1] else None,
            previous_cursor=kept[0].seq if kept and kept[0] is not found[0] else None,
        )

    return page_of(page, services.answers, max_bytes=services.settings.limits.max_page_bytes)


async def _cancel(request: Request) -> Response:
    services = services_of(request)
    limits = services.settings.limits
    wait = query_bool(request, "wait", default=False)
    with services.sessions.session(request.path_params["session_id"]) as session:
        body = await read_body(request, CancelRequest, limits)
        turns = session.turns.unended
        result = session.cancel_as_asked(body)
        if wait:
            await _ends([turns[id] for id in result.cancelled], timeout_s=limits.cancel_wait_s)
            result.turns = await look_up_turns(session.log, result.cancelled)
        return json_response(result)


async def _diff(request: Request) -> Response:
    turn_id = request.query_params.get("turn") or None
    with services_of(request).sessions.session(request.path_params["session_id"]) as session:
        return json_response(await session.diffs.diff(turn_id))


async def _ends(turns: Iterable[Turn], *, timeout_s: float) -> None:
    """All of them have ended, or the time is over."""
    try:
        async with asyncio.timeout(timeout_s):
            for turn in turns:
                await turn.wait()
    except TimeoutError:
        pass


routes = [
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/prompt", handler=_prompt, scope="prompt", tag="turns", status=202,
        summary="Start a turn, or queue it. A dropped connection never cancels it.",
        body=PromptRequest, result=PromptAccepted, is_idempotent=True,
        query=[WAIT], errors=[*TURN_ERRORS, CostUnknown],
        extra={"wait": PromptResult},
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/turns", handler=_list, scope="read", tag="turns",
        summary="Its turns, oldest first: where each is in the log, when it was, and the beginning of its prompt.",
        result=TurnList, errors=[SessionNotFound],
        query=[
            Query("after", {"type": "integer", "minimum": 0, "maximum": MAX_SEQ, "default": 0}, "Those with a greater `seq`."),
            Query("before", {"type": "integer", "minimum": 1, "maximum": MAX_SEQ},
                  "Those with a smaller one, the last of them: from the newest backwards, begin with the greatest number."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _MAX_LIST, "default": _LIST_LIMIT}, "Turns in a page."),
        ],
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/turns/{turn_id}", handler=_get, scope="read", tag="turns",
        summary="One turn: whether it has ended, how, and what it used.", result=TurnInfo,
        errors=[SessionNotFound, TurnNotFound],
    ),
    ApiRoute(
        method="GET", path="/v1/sessions/{session_id}/diff", handler=_diff, scope="read", tag="turns",
        summary="What turns have changed, as `turn.diff` tells it, with more of a long patch.", result=SessionDiff,
        query=[Query("turn", {"type": "string"},
                     "Only this turn. Default: from before the first that changed something to after the last.")],
        errors=[SessionNotFound, TurnNotFound, GitFailed, GitNotInstalled, LimitReached, Timeout],
    ),
    ApiRoute(
        method="POST", path="/v1/sessions/{session_id}/cancel", handler=_cancel, scope="prompt", tag="turns",
        summary="Cancel the running and all queued turns, one of them, or background tasks.",
        body=CancelRequest, result=CancelResult, query=[_WAIT_FOR_END], errors=[SessionNotFound],
    ),
]  # fmt: skip
