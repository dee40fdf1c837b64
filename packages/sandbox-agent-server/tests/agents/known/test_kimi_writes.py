"""Files that Kimi writes: asked about before the server writes them, and once."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.kimi.writes import KimiWrites

PATH = "/w/new.txt"
OPTIONS = [
    {"optionId": "approve_once", "name": "Approve once", "kind": "allow_once"},
    {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
]


def request(id: int, method: str, **params: Any) -> WireFrame:
    return wire(
        {"jsonrpc": "2.0", "id": id, "method": method, "params": {"sessionId": "s", **params}}
    )


def writes(id: int = 7) -> WireFrame:
    return request(id, "fs/write_text_file", path=PATH, content="hello\n")


def begun() -> WireFrame:
    update = {
        "sessionUpdate": "tool_call_update", "toolCallId": "c1", "title": "Writing", "kind": "edit",
        "status": "in_progress", "rawInput": {"path": PATH, "content": "hello\n"},
    }  # fmt: skip
    params = {"sessionId": "s", "update": update}
    return wire({"jsonrpc": "2.0", "method": "session/update", "params": params})


def chosen(option: str, id: int = 7) -> dict[str, Any]:
    outcome = {"outcome": "selected", "optionId": option}
    return {"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}}


def test_kimi_is_told_that_the_client_writes_files() -> None:
    said = {
        "method": "initialize",
        "params": {"clientCapabilities": {"fs": {"readTextFile": False}}},
    }

    told = KimiWrites().to_agent(said)

    assert told is not None
    assert told["params"]["clientCapabilities"]["fs"] == {
        "readTextFile": False, "writeTextFile": True,
    }  # fmt: skip


def test_a_write_is_a_permission_of_its_call_and_goes_to_the_server_when_it_is_allowed() -> None:
    kimi = KimiWrites()
    kimi.incoming([begun()])

    (asked,) = kimi.incoming([writes()])

    params = asked.frame["params"]
    assert (asked.frame["id"], asked.frame["method"]) == (7, "session/request_permission")
    assert params["toolCall"]["toolCallId"] == "c1"
    assert params["toolCall"]["locations"] == [{"path": PATH}]
    assert params["toolCall"]["content"] == [{"type": "diff", "path": PATH, "newText": "hello\n"}]
    assert kimi.outgoing(chosen("allow_once")) == [writes()]
    assert kimi.to_agent(chosen("allow_once")) is None
    written = {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert kimi.to_agent(written) == written


@pytest.mark.parametrize(
    "answer",
    [
        chosen("reject_once"),
        chosen("no such option"),
        {"jsonrpc": "2.0", "id": 7, "result": {"outcome": {"outcome": "cancelled"}}},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": "?"}},
    ],
)
def test_a_write_that_is_not_allowed_is_an_error_for_kimi(answer: dict[str, Any]) -> None:
    kimi = KimiWrites()
    (asked,) = kimi.incoming([writes()])

    assert asked.frame["params"]["toolCall"]["content"][0]["path"] == PATH
    assert kimi.outgoing(answer) == ()
    told = kimi.to_agent(answer)
    assert told is not None
    assert (told["id"], told["error"]["code"]) == (7, -32000)


def test_what_kimi_has_asked_itself_is_not_asked_again_and_only_once() -> None:
    kimi = KimiWrites()
    call = {"toolCallId": "c1", "title": "Write"}
    asks = request(1, "session/request_permission", toolCall=call, options=OPTIONS)
    kimi.incoming([begun(), asks])
    kimi.outgoing(chosen("approve_once", 1))

    first, second = kimi.incoming([writes(7), writes(8)])

    assert first == writes(7)
    assert second.frame["method"] == "session/request_permission"


def test_what_kimi_was_refused_is_no_leave_to_write() -> None:
    kimi = KimiWrites()
    call = {"toolCallId": "c1", "title": "Write"}
    kimi.incoming(
        [begun(), request(1, "session/request_permission", toolCall=call, options=OPTIONS)]
    )
    kimi.outgoing(chosen("reject", 1))

    (asked,) = kimi.incoming([writes()])

    assert asked.frame["method"] == "session/request_permission"


@pytest.mark.parametrize("params", [None, 7, [], {}, {"path": 3}])
def test_a_write_of_an_odd_shape_is_asked_about(params: Any) -> None:
    odd = wire({"jsonrpc": "2.0", "id": 1, "method": "fs/write_text_file", "params": params})

    (asked,) = KimiWrites().incoming([odd])

    assert asked.frame["method"] == "session/request_permission"
