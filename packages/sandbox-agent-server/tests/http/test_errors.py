"""Whatever goes wrong leaves as a problem document."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_call import code_of, request
from sandbox_agent_core.errors import (
    PayloadTooLarge,
    ProcessNotFound,
    SandboxAgentError,
    SessionNotFound,
    TokenInvalid,
    UnsupportedAgent,
    error_classes,
)
from sandbox_agent_core.wire.problem import from_problem
from sandbox_agent_server.http.errors import exception_handlers, problem_response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute


def raising(error: Exception) -> Any:
    async def handler(_request: Request) -> Response:
        raise error

    return handler


def app(*errors: Exception) -> Starlette:
    routes: list[BaseRoute] = [
        Route(f"/{place}", raising(error)) for place, error in enumerate(errors)
    ]
    routes += [
        Route("/both", raising(AssertionError()), methods=["POST"]),
        Route("/both", raising(AssertionError()), methods=["DELETE"]),
        Route("/{any}/both", raising(AssertionError()), methods=["PATCH"]),
    ]
    routes.append(WebSocketRoute("/live/{id}", raising(AssertionError())))
    return Starlette(routes=routes, exception_handlers=exception_handlers())


@pytest.mark.parametrize("cls", sorted(error_classes().values(), key=lambda cls: cls.code))
async def test_an_error_is_the_same_error_on_the_other_side(cls: type[SandboxAgentError]) -> None:
    response = problem_response(cls("it went wrong", limit="max_page", value=3))
    answer = await request(response)
    assert code_of(answer) == (cls.http_status, cls.code)
    read = from_problem(answer.json(), answer.status)
    assert type(read) is cls
    assert (read.message, read.details) == ("it went wrong", {"limit": "max_page", "value": 3})


async def test_an_error_of_a_handler_is_its_problem() -> None:
    answer = await request(app(SessionNotFound("no session 'x'")), path="/0")
    assert code_of(answer) == (404, "session_not_found")
    assert answer.json()["detail"] == "no session 'x'"
    assert "www-authenticate" not in answer.headers


async def test_who_is_not_known_is_told_how_to_say_who_they_are() -> None:
    answer = await request(app(TokenInvalid("the token is wrong")), path="/0")
    assert code_of(answer) == (401, "token_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_details_go_along_and_absent_ones_do_not() -> None:
    answer = await request(app(PayloadTooLarge("too large", limit="x", value=None)), path="/0")
    assert answer.json()["details"] == {"limit": "x"}


async def test_nothing_at_a_path_says_where_to_look() -> None:
    answer = await request(app(), path="/nowhere")
    assert code_of(answer) == (404, "not_found")
    assert "/nowhere" in answer.json()["detail"]
    assert "/openapi.json" in answer.json()["detail"]


async def test_a_method_that_is_not_offered_is_told_all_that_are() -> None:
    answer = await request(app(), "PUT", "/both")
    assert code_of(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, POST"
    assert "DELETE, POST" in answer.json()["detail"]


async def test_any_other_refusal_of_the_framework_is_an_invalid_request() -> None:
    answer = await request(app(HTTPException(418, "short and stout")), path="/0")
    assert code_of(answer) == (400, "invalid_request")
    assert answer.json()["detail"] == "short and stout"


async def test_an_agent_and_a_session_are_told_on_the_top_level_too() -> None:
    errors = UnsupportedAgent("no agent", agent="nope"), SessionNotFound("no", sessionId="x")
    answers = [await request(app(*errors), path=f"/{place}") for place in (0, 1)]
    assert answers[0].json()["agent"] == answers[0].json()["details"]["agent"] == "nope"
    assert answers[1].json()["sessionId"] == answers[1].json()["details"]["sessionId"] == "x"


@pytest.mark.parametrize("given", [{"id": "proc_1"}, {"processId": "proc_1"}])
async def test_what_is_not_there_has_a_kind_and_an_id(given: dict[str, str]) -> None:
    answer = await request(app(ProcessNotFound("no process", **given)), path="/0")
    assert answer.json()["details"] == {"resource": "process", "id": "proc_1", **given}


def test_members_of_a_foreign_document_are_details() -> None:
    problem = {
        "type": "urn:sandbox-agent:error:unsupported_agent", "title": "Unsupported Agent", "status": 400,
        "detail": "unsupported agent: nope", "agent": "nope", "message": "x", "details": {"known": ["mock"]},
    }  # fmt: skip
    read = from_problem(problem, 400)
    assert isinstance(read, UnsupportedAgent)
    assert read.details == {"agent": "nope", "known": ["mock"]}


@pytest.mark.parametrize("path", ["/v1/desktop/status", "/opencode", "/opencode/global/health"])
async def test_what_others_serve_and_this_server_does_not_is_said_in_a_sentence(path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await request(app(), method, path)
        assert code_of(answer) == (404, "not_found")
        assert answer.json()["detail"].startswith("this server ")


async def test_a_websocket_that_is_asked_without_an_upgrade_says_so() -> None:
    answer = await request(app(), path="/live/1")
    assert code_of(answer) == (400, "invalid_request")
    assert "WebSocket" in answer.json()["detail"]
    assert code_of(await request(app(), "POST", "/live/1")) == (404, "not_found")
    assert code_of(await request(app(), path="/live/1/2")) == (404, "not_found")
