"""A call of OpenCode's in the shape that all agents' calls have."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.opencode.changes import changes
from sandbox_agent_server.agents.opencode.tools import tool_fields, tool_result

PATCH = """\
--- /w/a
+++ /w/a
@@ -3,2 +3,2 @@
 same
-old
+new
@@ -20,1 +20,2 @@
 end
+more
\\ No newline at end of file
"""


def of_command(**state: Any) -> dict[str, Any]:
    state = {"status": "completed", "input": {"command": "make"}} | state
    return tool_fields("bash", state) | tool_result("bash", state, {})


@pytest.mark.parametrize(
    ("metadata", "status", "code"),
    [
        ({"exit": 0}, "completed", 0),
        ({"exit": 3}, "failed", 3),
        ({"exit": None}, "failed", None),
        ({}, "completed", None),
    ],
)
def test_a_command_ends_as_its_exit_code_says(
    metadata: dict[str, Any], status: str, code: int | None
) -> None:
    told = of_command(output="hi\n", metadata=metadata, time={"start": 5, "end": 12})

    assert told["status"] == status
    assert told["rawOutput"].get("exitCode") == code
    assert (told["rawOutput"]["stdout"], told["rawOutput"]["durationMs"]) == ("hi\n", 7)


def test_a_silent_command_shows_nothing() -> None:
    for told in (
        of_command(output="(no output)", metadata={"output": "(no output)", "exit": 0}),
        of_command(status="running", metadata={"output": "(no output)"}),
    ):
        assert "content" not in told
        assert told["rawOutput"]["stdout"] == ""


def test_a_refused_command_says_why() -> None:
    told = of_command(status="error", error="The user rejected it")

    assert told["status"] == "failed"
    assert told["rawOutput"] == {"error": "The user rejected it", "stdout": ""}


def test_an_edit_is_its_hunks_with_their_lines() -> None:
    given = {"filePath": "/w/a", "oldString": "old", "newString": "new"}

    first, second = changes("edit", given, {"diff": PATCH})

    assert (first["oldText"], first["newText"]) == ("same\nold\n", "same\nnew\n")
    assert first["_meta"]["sandbox_agent"]["startLine"] == 3
    assert (second["oldText"], second["newText"]) == ("end\n", "end\nmore")
    assert second["_meta"]["sandbox_agent"]["startLine"] == 20


def test_an_edit_without_a_patch_is_a_piece() -> None:
    given = {"filePath": "/w/a", "edits": [{"oldString": "a", "newString": "b"}]}

    (piece,) = changes("multiedit", given, {})

    assert (piece["oldText"], piece["newText"]) == ("a", "b")
    assert piece["_meta"]["sandbox_agent"] == {"isWholeFile": False}


def test_a_new_file_has_no_old_text() -> None:
    given = {"filePath": "/w/a", "content": "hello\n"}
    patch = "--- /w/a\n+++ /w/a\n@@ -0,0 +1,1 @@\n+hello\n"

    for metadata in ({}, {"diff": patch}):
        assert changes("write", given, metadata) == [
            {"type": "diff", "path": "/w/a", "newText": "hello\n"}
        ]


def test_a_patch_of_several_files_is_told_file_by_file() -> None:
    files = [
        {"filePath": "/w/a", "type": "update", "patch": PATCH},
        {"filePath": "/w/b", "type": "add", "patch": "@@ -0,0 +1,1 @@\n+b\n"},
        {"filePath": "/w/c", "type": "delete", "patch": "@@ -1,1 +0,0 @@\n-c\n"},
        {"filePath": "/w/d", "type": "move"},
        "odd",
    ]
    state = {"status": "running", "input": {"patchText": "…"}, "metadata": {"files": files}}

    told = tool_fields("apply_patch", state)

    assert [diff["path"] for diff in told["content"]] == ["/w/a", "/w/a", "/w/b", "/w/c"]
    assert "oldText" not in told["content"][2]
    assert (told["content"][3]["oldText"], told["content"][3]["newText"]) == ("c\n", "")
    assert [place["path"] for place in told["locations"]] == ["/w/a", "/w/b", "/w/c", "/w/d"]


def test_what_changes_no_file_has_no_diff() -> None:
    assert changes("read", {"filePath": "/w/a", "content": "x"}, {"diff": PATCH}) == []
    assert changes("write", {"filePath": 7, "content": "x"}, {}) == []
    assert changes("edit", {"filePath": "/w/a", "oldString": 7}, {"diff": 7}) == []
