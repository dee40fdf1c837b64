"""One line for every call, with nothing secret in it; and a bug that ends here."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from asgi_call import Answer, code_of, http_scope, request, told_in, websocket
from sandbox_agent_server.http.access_log import AccessLog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECRET = "s3cret-of-the-test"


@pytest.fixture(autouse=True)
def information_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def answering(status: int, *, session_id: str | None = None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if session_id is not None:
            scope["path_params"] = {"session_id": session_id}
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    return app


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError(f"a bug, with {SECRET} in its message")


def the_line(caplog: pytest.LogCaptureFixture) -> Any:
    (record,) = [record for record in caplog.records if record.levelno == logging.INFO]
    return record


async def test_a_call_is_one_line_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    answer = await request(AccessLog(answering(204, session_id="ses_1")), "PATCH", "/v1/sessions/1")
    line = the_line(caplog)
    assert line.getMessage() == "PATCH /v1/sessions/1 204"
    assert line.request_id == answer.headers["x-request-id"]
    assert line.session_id == "ses_1"
    assert line.duration_ms >= 0


async def test_every_call_has_an_id_of_its_own() -> None:
    app = AccessLog(answering(200))
    ids = {(await request(app)).headers["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


async def test_no_header_query_or_body_is_in_the_line(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"authorization": f"Bearer {SECRET}", "cookie": SECRET}
    scope = http_scope("POST", "/v1/sessions", headers, query=f"token={SECRET}".encode())

    async def send(_message: Message) -> None: ...

    await AccessLog(answering(200))(scope, told_in(SECRET.encode()), send)
    assert the_line(caplog).getMessage() == "POST /v1/sessions 200"
    assert SECRET not in repr([vars(record) for record in caplog.records])


@pytest.mark.parametrize("forged", ["\n", "\r\n", "\x1b[2J", "\u2028", "\x00"])
async def test_a_path_cannot_forge_a_second_line(
    caplog: pytest.LogCaptureFixture, forged: str
) -> None:
    wanted = f"x{forged}2026-11-28 info GET /v1/forged 200"
    await request(AccessLog(answering(200, session_id=wanted)), path=f"/v1/sessions/{wanted}")
    line = the_line(caplog)
    for text in (line.getMessage(), line.session_id):
        assert forged not in text
        assert text.isprintable()


async def test_a_bug_ends_as_a_problem_that_leads_to_the_log_and_tells_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer: Answer = await request(AccessLog(failing), "POST", "/v1/sessions")
    assert code_of(answer) == (500, "internal_error")
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.json()["detail"]
    assert SECRET.encode() not in answer.body
    (bug,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert bug.exc_info is not None
    assert vars(bug)["request_id"] == request_id
    assert the_line(caplog).getMessage() == "POST /v1/sessions 500"


async def test_a_bug_in_the_middle_of_an_answer_adds_nothing_to_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(200)(scope, receive, send)
        await failing(scope, receive, send)

    answer = await request(AccessLog(app))
    assert (answer.status, answer.body) == (200, b"x")
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


async def test_a_websocket_is_one_line_and_its_bug_too(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await failing(scope, receive, send)

    sent = await websocket(AccessLog(app), "/v1/sessions/1/ws")
    assert [message["type"] for message in sent] == ["websocket.accept"]
    assert the_line(caplog).getMessage() == "WS /v1/sessions/1/ws 101"


async def test_a_call_that_is_cancelled_has_its_line_and_stays_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await request(AccessLog(app))
    assert the_line(caplog).getMessage() == "GET /v1/health 0"


async def test_the_lifespan_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def send(_message: Message) -> None: ...

    await AccessLog(app)({"type": "lifespan"}, told_in(), send)
    assert seen == ["lifespan"]
    assert caplog.records == []
