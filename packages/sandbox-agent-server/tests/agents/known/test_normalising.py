"""What some agents leave unsaid is put in where it belongs, and nothing that they say is touched."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.gemini.calls import GeminiToolCalls
from sandbox_agent_server.agents.known.implied_calls import ImpliedToolCalls

OPTIONS = [{"optionId": kind, "kind": kind, "name": kind} for kind in ("allow_once", "reject_once")]


def update(**fields: Any) -> WireFrame:
    params = {"sessionId": "s", "update": fields}
    return wire({"jsonrpc": "2.0", "method": "session/update", "params": params})


def asks(call_id: Any = "c1", *, id: int = 0) -> WireFrame:
    call = {"toolCallId": call_id, "title": "touch x", "kind": "execute", "status": "pending"}
    params = {"sessionId": "s", "toolCall": call, "options": OPTIONS}
    return wire(
        {"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params}
    )


def chosen(option: str, *, id: int = 0) -> dict[str, Any]:
    outcome = {"outcome": "selected", "optionId": option}
    return {"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}}


def test_a_call_that_only_a_permission_mentions_is_announced_before_it() -> None:
    batch = [asks()]

    announced, asked = ImpliedToolCalls().incoming(batch)

    assert asked is batch[0]
    assert announced.frame["params"] == {
        "sessionId": "s",
        "update": {
            "sessionUpdate": "tool_call", "toolCallId": "c1", "title": "touch x", "kind": "execute",
            "status": "pending",
        },
    }  # fmt: skip


def test_a_call_is_announced_once_by_whomever() -> None:
    calls = ImpliedToolCalls()
    said = update(sessionUpdate="tool_call", toolCallId="c1")

    assert calls.incoming([said, asks()]) == [said, asks()]
    assert len(calls.incoming([asks("c2", id=1), asks("c2", id=2)])) == 3


@pytest.mark.parametrize(
    "answer",
    [
        chosen("reject_once"),
        chosen("no such option"),
        {"jsonrpc": "2.0", "id": 0, "result": {"outcome": {"outcome": "cancelled"}}},
        {"jsonrpc": "2.0", "id": 0, "error": {"code": -32603, "message": "?"}},
    ],
)
def test_a_call_that_is_not_allowed_has_failed(answer: dict[str, Any]) -> None:
    calls = ImpliedToolCalls()
    calls.incoming([asks()])

    (failed,) = calls.outgoing(answer)

    assert failed.frame["params"]["update"] == {
        "sessionUpdate": "tool_call_update", "toolCallId": "c1", "status": "failed",
    }  # fmt: skip
    assert calls.outgoing(answer) == ()


def test_of_an_allowed_call_the_agent_tells_the_rest() -> None:
    calls = ImpliedToolCalls()
    calls.incoming([asks()])

    assert calls.outgoing(chosen("allow_once")) == ()


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"toolCall": None}, {"toolCall": {}}])
def test_junk_passes_through(junk: Any) -> None:
    frame = wire(
        {"jsonrpc": "2.0", "id": 1, "method": "session/request_permission", "params": junk}
    )
    odd = wire({"jsonrpc": "2.0", "method": "session/update", "params": junk})

    calls = ImpliedToolCalls()

    assert calls.incoming([frame, odd]) == [frame, odd]
    assert calls.outgoing(chosen("allow_once", id=1)) == ()


def test_geminis_command_is_its_title_and_its_tool_a_part_of_its_id() -> None:
    announced, asked = GeminiToolCalls().incoming([asks("run_shell_command__call_7")])

    for told in (announced.frame["params"]["update"], asked.frame["params"]["toolCall"]):
        assert told["rawInput"] == {"command": "touch x"}
        assert told["name"] == "run_shell_command"


@pytest.mark.parametrize(
    "said",
    [
        update(sessionUpdate="tool_call", toolCallId="c1", kind="edit", title="x"),
        update(sessionUpdate="tool_call", toolCallId=7, kind="execute", title=""),
        update(sessionUpdate="plan", entries=[]),
        wire({"jsonrpc": "2.0", "method": "session/update", "params": None}),
        wire({"jsonrpc": "2.0", "id": 1, "method": "session/request_permission", "params": []}),
    ],
)
def test_what_gemini_tells_of_other_things_is_left_alone(said: WireFrame) -> None:
    assert GeminiToolCalls().incoming([said]) == [said]


def test_what_a_permission_says_for_people_is_no_output_of_the_call() -> None:
    asked = asks()
    asked.frame["params"]["toolCall"]["content"] = [
        {"type": "content", "content": {"type": "text", "text": "It makes a file"}},
        {"type": "diff", "path": "a", "newText": "b"},
    ]

    announced = ImpliedToolCalls().incoming([asked])[0].frame["params"]["update"]

    assert announced["content"] == [{"type": "diff", "path": "a", "newText": "b"}]
