"""Requests of OpenCode's own API: for this session, and none that goes around what guards it."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.opencode.native import NativeCall


def read(method: Any, params: Any = None) -> NativeCall:
    given = {"method": method, "params": params}
    return NativeCall.read(given, session_id="ses_1", is_ours={"ses_1", "ses_child"}.__contains__)


def test_params_are_the_query_or_the_body() -> None:
    assert read("GET /find", {"pattern": "x", "limit": 3}).query == {"pattern": "x", "limit": "3"}
    assert read("POST /session/ses_1/init", {"a": 1}) == NativeCall(
        "POST", "/session/ses_1/init", {"a": 1}, {}
    )


def test_the_session_need_not_be_named() -> None:
    assert read("GET /session/{sessionID}/todo").path == "/session/ses_1/todo"
    assert read("GET /session/ses_child/message").path == "/session/ses_child/message"
    assert read("GET /session/status").path == "/session/status"


@pytest.mark.parametrize(
    "method",
    [
        "GET /session",
        "GET /session/",
        "POST /session",
        "GET /session/ses_other",
        "DELETE /api/session/ses_other",
        "GET /event",
        "GET /global/event",
        "GET /pty/1/connect",
        "POST /permission/per_1/reply",
        "POST /question/que_1/reject",
        "POST /session/ses_1/permissions/per_1",
        "POST /api/session/ses_1/question/q/reply",
        "POST /instance/dispose",
        "POST /sync/steal",
    ],
)
def test_what_is_about_more_than_the_session_is_refused(method: str) -> None:
    with pytest.raises(Refused):
        read(method)


@pytest.mark.parametrize(
    "method",
    [None, "", "GET", "/vcs", "TRACE /vcs", "GET /a b", "GET /../x", "GET /%2e%2e", "GET /x?a=1",
     "GET //x\r\nhost: y"],
)  # fmt: skip
def test_what_is_no_path_is_refused(method: Any) -> None:
    with pytest.raises(InvalidParams):
        read(method)
