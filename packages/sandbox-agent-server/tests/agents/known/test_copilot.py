"""Copilot's frames, as it wrote them, in the words of everybody."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.copilot.calls import CopilotCalls, hunk_with
from sandbox_agent_server.agents.known.copilot.modes import CopilotModes
from sandbox_agent_server.agents.known.copilot.turns import CopilotTurns
from sandbox_agent_server.agents.known.copilot.verbs import VERBS

ADDRESS = "https://agentclientprotocol.com/protocol/session-modes#"
PATCH = "\ndiff --git a/w/a.py b/w/a.py\n--- a/w/a.py\n+++ b/w/a.py\n@@ -7,3 +7,3 @@\n one\n-two\n+2\n three\n"


def update(kind: str, /, **fields: Any) -> WireFrame:
    params = {"sessionId": "s", "update": {"sessionUpdate": kind, **fields}}
    return wire({"jsonrpc": "2.0", "method": "session/update", "params": params})


def asks(**call: Any) -> WireFrame:
    params = {"sessionId": "s", "toolCall": {"toolCallId": "c", **call}, "options": []}
    return wire(
        {"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": params}
    )


def prompt(id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": "session/prompt", "params": {"sessionId": "s"}}


def through(normaliser: Normaliser, *frames: WireFrame) -> list[dict[str, Any]]:
    """What the last member of each frame has become: an update, a tool call, or a result."""
    told = []
    for each in normaliser.incoming(list(frames)):
        params = each.frame.get("params", {})
        told.append(params.get("update") or params.get("toolCall") or each.frame)
    return told


SHELL = {"kind": "execute", "rawInput": {"command": "touch x", "description": "Make a file"}}


def test_a_command_is_called_by_what_it_runs() -> None:
    told, asked = through(
        CopilotCalls(),
        update("tool_call", toolCallId="c", title="Make a file", status="pending", **SHELL),
        asks(title="Make a file", kind="execute", rawInput={"command": "touch x"}),
    )
    for call in (told, asked):
        assert (call["title"], call["name"]) == ("touch x", "bash")


@pytest.mark.parametrize(
    ("content", "code", "status", "stdout"),
    [
        ("err\nout\n<shellId: 0 completed with exit code 3>", 3, "failed", "err\nout"),
        ("\n<shellId: 1 completed with exit code 0>", 0, "completed", ""),
        ("said\n<shellId: 1 completed with exit code -9>", -9, "failed", "said"),
    ],
)
def test_a_command_ends_as_its_exit_code_says(
    content: str, code: int, status: str, stdout: str
) -> None:
    exited = {"type": "shell_exit", "shellId": "0", "exitCode": code}
    output = {"content": content, "detailedContent": content, "contents": [exited]}
    block = {"type": "content", "content": {"type": "text", "text": content}}
    _, ended = through(
        CopilotCalls(),
        update("tool_call", toolCallId="c", title="?", **SHELL),
        update(
            "tool_call_update",
            toolCallId="c",
            status="completed",
            content=[block],
            rawOutput=output,
        ),
    )
    assert ended["status"] == status
    assert ended["rawOutput"] == {"stdout": stdout, "exitCode": code}
    assert [item["content"]["text"] for item in ended["content"]] == ([stdout] if stdout else [])


def test_a_change_is_asked_for_with_the_change_and_where_it_is() -> None:
    diff = {"type": "diff", "path": "/w/a.py", "oldText": "two", "newText": "2"}
    arguments = {"path": "/w/a.py", "old_str": "two", "new_str": "2"}
    told, asked, ended = through(
        CopilotCalls(),
        update(
            "tool_call",
            toolCallId="c",
            title="Editing /w/a.py",
            kind="edit",
            rawInput=arguments,
            content=[diff],
        ),
        asks(title="Edit file", kind="edit", rawInput={"fileName": "/w/a.py", "diff": PATCH}),
        update(
            "tool_call_update",
            toolCallId="c",
            status="completed",
            content=[diff],
            rawOutput={"content": "done", "detailedContent": PATCH},
        ),
    )
    assert told["name"] == "edit"
    assert (asked["title"], asked["rawInput"]) == ("Editing /w/a.py", arguments)
    for call in (asked, ended):
        (shown,) = call["content"]
        place = shown["_meta"]["sandbox_agent"]
        assert (place["isWholeFile"], place["startLine"]) == (False, 7)
        assert "two" in shown["oldText"].splitlines()


def test_a_new_file_has_no_old_text() -> None:
    diff = {"type": "diff", "path": "/w/a", "oldText": "", "newText": "b"}
    told, ended = through(
        CopilotCalls(),
        update(
            "tool_call",
            toolCallId="c",
            kind="edit",
            rawInput={"path": "/w/a", "file_text": "b"},
            content=[diff],
        ),
        update("tool_call_update", toolCallId="c", status="completed", content=[diff]),
    )
    assert told["content"] == ended["content"] == [{"type": "diff", "path": "/w/a", "newText": "b"}]


@pytest.mark.parametrize(
    ("old", "line"), [("one\ntwo", 7), ("three", 7), ("four", None), ("", None)]
)
def test_the_hunk_of_a_piece_of_a_patch(old: str, line: int | None) -> None:
    hunk = hunk_with(PATCH, old)
    assert (None if hunk is None else hunk.old_line) == line


def test_what_occurs_in_two_places_is_in_no_known_hunk() -> None:
    assert hunk_with(PATCH + "@@ -90,1 +90,1 @@\n-two\n+2\n", "two") is None


def ended(turns: CopilotTurns, id: int, *said: str, tokens: int | None) -> dict[str, Any]:
    turns.outgoing(prompt(id))
    usage = (
        {} if tokens is None else {"usage": {"inputTokens": 10 * tokens, "outputTokens": tokens}}
    )
    frames = [
        update("usage_update", used=1, size=2),
        *(update("agent_message_chunk", content={"type": "text", "text": text}) for text in said),
        wire({"jsonrpc": "2.0", "id": id, "result": {"stopReason": "end_turn", **usage}}),
    ]
    return turns.incoming(frames)[-1].frame


def test_usage_is_that_of_the_turn() -> None:
    turns = CopilotTurns()
    used = [ended(turns, id, "a", "b", tokens=tokens) for id, tokens in ((1, 20), (2, 35), (3, 5))]
    assert [frame["result"]["usage"]["outputTokens"] for frame in used] == [20, 15, 5]
    assert [frame["result"]["usage"]["inputTokens"] for frame in used] == [200, 150, 50]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Error: Authentication failed with provider at http://x/v1 (HTTP 401).\n  Check", 401),
        ("Error: 400 scripted 400", 400),
        ("Error: Failed to get response; retried 5 times Last error: 529 scripted 529", 529),
        ("Error: it went wrong", None),
        ("Failed to run /compact: Error: Nothing to compact.", None),
    ],
)
def test_a_failure_that_is_a_text_is_an_error(said: str, status: int | None) -> None:
    frame = ended(CopilotTurns(), 1, said, tokens=None)
    assert frame["error"]["message"] in said
    assert frame["error"]["data"].get("status") == status


def test_a_model_may_speak_of_errors() -> None:
    turns = CopilotTurns()
    assert "result" in ended(turns, 1, "Error: ", "so it said", tokens=20)
    assert "result" in ended(turns, 2, "Error: is a word", tokens=40)


def test_modes_have_names_and_the_agent_gets_its_addresses() -> None:
    modes = CopilotModes()
    offered = {
        "currentModeId": f"{ADDRESS}agent",
        "availableModes": [{"id": f"{ADDRESS}agent", "description": f"see {ADDRESS}agent"}],
    }
    option = {
        "id": "mode",
        "currentValue": f"{ADDRESS}plan",
        "options": [{"value": f"{ADDRESS}plan"}],
    }
    (told,) = modes.incoming(
        [wire({"id": 1, "result": {"modes": offered, "configOptions": [option]}})]
    )
    result = told.frame["result"]
    assert result["modes"]["currentModeId"] == "agent"
    assert result["modes"]["availableModes"][0] == {
        "id": "agent",
        "description": f"see {ADDRESS}agent",
    }
    assert result["configOptions"][0]["options"] == [{"value": "plan"}]

    for given in ("agent", f"{ADDRESS}agent"):
        params = {"sessionId": "s", "modeId": given}
        frame = modes.to_agent({"id": 2, "method": "session/set_mode", "params": params})
        assert frame["params"]["modeId"] == f"{ADDRESS}agent"
    params = {"configId": "mode", "value": "plan"}
    frame = modes.to_agent({"id": 3, "method": "session/set_config_option", "params": params})
    assert frame["params"]["value"] == f"{ADDRESS}plan"
    params = {"configId": "allow_all", "value": "on"}
    untouched = {"id": 4, "method": "session/set_config_option", "params": params}
    assert modes.to_agent(untouched) is untouched


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"type": "uncommitted"}, "/review"),
        ({"type": "branch", "branch": "main"}, "/review the changes against the branch main"),
        ({"type": "commit", "sha": "abc"}, "/review the changes of the commit abc"),
        ({"type": "custom", "instructions": "the tests"}, "/review the tests"),
    ],
)
def test_a_review_is_a_command(target: dict[str, Any], text: str) -> None:
    verb = VERBS["_sandbox_agent/session.review"]
    asked = next(verb({"sessionId": "s", "target": target}))
    assert asked.params["prompt"] == [{"type": "text", "text": text}]
