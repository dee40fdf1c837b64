"""What Gemini tells of its tool calls, as it wrote it, in the words of everybody."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.gemini.calls import GeminiToolCalls


def told(**fields: Any) -> dict[str, Any]:
    frame = {
        "jsonrpc": "2.0",
        "method": "session/update",
        "params": {"sessionId": "s", "update": fields},
    }
    (each,) = GeminiToolCalls().incoming([wire(frame)])
    update: dict[str, Any] = each.frame["params"]["update"]
    return update


def ended(text: str | None) -> dict[str, Any]:
    block = {"type": "content", "content": {"type": "text", "text": text}}
    return told(
        sessionUpdate="tool_call_update",
        toolCallId="run_shell_command__call_1",
        status="completed",
        title="make",
        kind="execute",
        content=[] if text is None else [block],
    )


@pytest.mark.parametrize(
    ("text", "status", "output"),
    [
        (
            "Output: out\nerr\nExit Code: 3\nProcess Group PGID: 12",
            "failed",
            {"stdout": "out\nerr", "exitCode": 3},
        ),
        ("Output: (empty)\nProcess Group PGID: 12", "completed", {"stdout": "", "exitCode": 0}),
        (
            "Output: Exit Code: 5\n\nlast\nBackground PIDs: 4, 5\nProcess Group PGID: 12",
            "completed",
            {"stdout": "Exit Code: 5\n\nlast", "exitCode": 0},
        ),
        (
            "Output: x\nSignal: 9\nProcess Group PGID: 12",
            "failed",
            {"stdout": "x", "signal": "9"},
        ),
        (
            "Output: (empty)\nError: spawn ENOENT",
            "failed",
            {"stdout": "", "error": "spawn ENOENT"},
        ),
    ],
)
def test_what_a_command_came_to_is_read_from_its_words(
    text: str, status: str, output: dict[str, Any]
) -> None:
    update = ended(text)
    assert (update["status"], update["rawOutput"]) == (status, output)
    shown = [item["content"]["text"] for item in update["content"]]
    assert shown == list(filter(None, [output["stdout"] or output.get("error")]))


@pytest.mark.parametrize("text", [None, "Command moved to background (PID: 4). Output hidden."])
def test_other_words_stay(text: str | None) -> None:
    update = ended(text)
    assert update["status"] == "completed"
    assert "rawOutput" not in update
    assert len(update["content"]) == (text is not None)


def test_a_change_shows_the_whole_file_and_a_new_one_no_old_text() -> None:
    new = {"type": "diff", "path": "/w/a", "oldText": "", "newText": "b", "_meta": {"kind": "add"}}
    old = {**new, "oldText": "a", "_meta": {"kind": "modify"}}
    place = [{"path": "/w/a"}]
    fields = {"sessionUpdate": "tool_call", "kind": "edit", "locations": place}

    added = told(toolCallId="write_file__1", content=[new], **fields)
    changed = told(toolCallId="replace__2", content=[old], **fields)

    assert "oldText" not in added["content"][0]
    assert changed["content"][0]["oldText"] == "a"
    for update in (added, changed):
        assert update["content"][0]["_meta"]["sandbox_agent"] == {"isWholeFile": True}
    assert added["rawInput"] == {"file_path": "/w/a", "content": "b"}
    assert changed["rawInput"] == {"file_path": "/w/a"}


def test_what_is_read_is_known_by_its_place() -> None:
    update = told(
        sessionUpdate="tool_call",
        toolCallId="read_file__1",
        kind="read",
        locations=[{"path": "/a"}],
    )
    assert (update["name"], update["rawInput"]) == ("read_file", {"file_path": "/a"})
