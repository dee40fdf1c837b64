"""Long work asked of an agent that speaks ACP: in its words, and its answers back."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST, error_response, request, response
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.acp.verbs import Ask, Done, Verbs, by_command
from sandbox_agent_server.agents.refusals import Refused

RENAME = "_sandbox_agent/session.rename"
COMPACT = "_sandbox_agent/session.compact"
NATIVE = "_sandbox_agent/session.native"


def twice(params: Mapping[str, Any]) -> Generator[Ask, Any, Done]:
    first = yield Ask("look", {"at": params["title"]})
    if first is None:
        raise Refused(INVALID_REQUEST, "there is nothing")
    second = yield Ask("do", {"with": first})
    return Done({"made": second})


class Lab:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        by_method = {RENAME: twice, COMPACT: by_command("/compress", words=lambda _params: "all")}
        self.verbs = Verbs(
            by_method, {"rename": True}, send=self.sent.append, tell=self.told.append
        )

    def ask(self, method: str, /, **params: Any) -> None:
        assert self.verbs.to_agent(request(7, method, params)) is None

    def hear(self, frame: dict[str, Any]) -> list[dict[str, Any]]:
        return [each.frame for each in self.verbs.incoming([wire(frame)])]

    def answered(self, result: Any) -> list[dict[str, Any]]:
        return self.hear(response(self.sent[-1]["id"], result))


def test_what_takes_two_requests_is_answered_once() -> None:
    lab = Lab()
    lab.ask(RENAME, title="x")
    assert (lab.sent[-1]["method"], lab.sent[-1]["params"]) == ("look", {"at": "x"})
    assert lab.answered(5) == []
    assert lab.sent[-1]["params"] == {"with": 5}
    assert lab.answered("it") == [response(7, {"made": "it"})]


def test_the_agents_error_is_the_answer() -> None:
    lab = Lab()
    lab.ask(RENAME, title="x")
    (frame,) = lab.hear(error_response(lab.sent[-1]["id"], -32603, "no", {"why": 1}))
    assert frame == error_response(7, -32603, "no", {"why": 1})


def test_what_is_refused_on_the_way_is_an_error() -> None:
    lab = Lab()
    lab.ask(RENAME, title="x")
    assert lab.answered(None) == [error_response(7, INVALID_REQUEST, "there is nothing")]


def test_a_command_is_a_prompt_and_its_answer_that_of_the_turn() -> None:
    lab = Lab()
    lab.ask(COMPACT, sessionId="s")
    assert lab.sent[-1]["method"] == "session/prompt"
    assert lab.sent[-1]["params"] == {
        "sessionId": "s",
        "prompt": [{"type": "text", "text": "/compress all"}],
    }
    answer = {"stopReason": "cancelled", "usage": {"inputTokens": 1}}
    assert lab.answered(answer) == [response(7, answer)]


def test_any_request_of_the_agents_own_can_be_made() -> None:
    lab = Lab()
    lab.ask(NATIVE, sessionId="s", method="session/list", params={"cwd": "/"})
    assert (lab.sent[-1]["method"], lab.sent[-1]["params"]) == ("session/list", {"cwd": "/"})
    assert lab.answered(None) == [response(7, {"result": None})]


@pytest.mark.parametrize("method", ["session/prompt", "session/new", "initialize", None, 7, ""])
def test_what_the_server_has_to_know_of_is_not_native(method: Any) -> None:
    lab = Lab()
    lab.ask(NATIVE, method=method)
    assert lab.sent == []
    assert "error" in lab.told[0]


def test_what_it_can_do_is_announced_beside_what_the_agent_says() -> None:
    lab = Lab()
    hello = request(1, "initialize", {})
    assert lab.verbs.to_agent(hello) is hello
    said = {"agentCapabilities": {"loadSession": True, "_meta": {"theirs": 1}}}
    (frame,) = lab.hear(response(1, said))
    announced = frame["result"]["agentCapabilities"]
    assert announced["loadSession"] is True
    assert announced["_meta"] == {"theirs": 1, "sandbox_agent": {"native": True, "rename": True}}
    assert lab.hear(response(1, said)) == [response(1, said)]


def test_everything_else_passes() -> None:
    lab = Lab()
    other = request(9, "session/prompt", {})
    assert lab.verbs.to_agent(other) is other
    lab.ask(RENAME, title="x")
    asks = request(lab.sent[-1]["id"], "session/request_permission", {})
    assert lab.hear(asks) == [asks]
