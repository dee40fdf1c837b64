"""What is told of Claude's tools: titles, kinds, places, diffs, output."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.claude.tool_results import result_fields
from sandbox_agent_server.agents.claude.tools import tool_fields


@pytest.mark.parametrize(
    ("name", "given", "kind", "title"),
    [
        ("Bash", {"command": "ls -l"}, "execute", "ls -l"),
        ("Bash", {"command": "cd x\nls"}, "execute", "cd x …"),
        ("Bash", {"command": "x" * 300}, "execute", "x" * 199 + "…"),
        ("Bash", {}, "execute", "Bash"),
        ("Read", {"file_path": "/repo/a/b.py"}, "read", "Read a/b.py"),
        ("Read", {"file_path": "/etc/hosts"}, "read", "Read /etc/hosts"),
        ("Write", {"file_path": "/repo/x"}, "edit", "Write x"),
        ("NotebookEdit", {"notebook_path": "/repo/n.ipynb"}, "edit", "NotebookEdit n.ipynb"),
        ("Grep", {"pattern": "TODO", "path": "/repo"}, "search", "Grep TODO"),
        ("WebFetch", {"url": "http://x.test"}, "fetch", "Fetch http://x.test"),
        ("WebSearch", {"query": "weather"}, "search", "Search the web: weather"),
        ("Task", {"description": "sub job"}, "think", "sub job"),
        ("Agent", {"description": "sub job"}, "think", "sub job"),
        ("ExitPlanMode", {}, "switch_mode", "Plan ready"),
        ("TodoWrite", {"todos": []}, "think", "Update the plan"),
        ("AskUserQuestion", {"questions": [{"question": "Why?"}]}, "other", "Why?"),
        ("mcp__git_hub__open_pr", {"x": 1}, "other", "git_hub: open_pr"),
        ("Novelty", {}, "other", "Novelty"),
        ("", None, "other", "Tool"),
        ("Bash", {"command": "echo {0} {x}"}, "execute", "echo {0} {x}"),
    ],
)
def test_title_and_kind(name: str, given: Any, kind: str, title: str) -> None:
    fields = tool_fields(name, given, cwd="/repo")
    assert (fields["kind"], fields["title"]) == (kind, title)


PIECE = {"sandbox_agent": {"isWholeFile": False}}


def test_every_edit_of_a_multi_edit_is_a_diff() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c"}, "odd"]
    given = {"file_path": "/repo/x", "edits": edits}
    assert tool_fields("MultiEdit", given, cwd="/repo")["content"] == [
        {"type": "diff", "path": "/repo/x", "oldText": "a", "newText": "b", "_meta": PIECE}
    ]


def test_an_edit_that_replaces_nothing_makes_a_file() -> None:
    given = {"file_path": "/repo/x", "old_string": "", "new_string": "b"}
    (change,) = tool_fields("Edit", given, cwd="/repo")["content"]
    assert (change["oldText"], "_meta" in change) == (None, False)


def block(content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t1", "content": content} | fields


def test_an_edit_is_told_hunk_by_hunk_and_not_with_the_whole_file() -> None:
    native = {
        "filePath": "/repo/x",
        "originalFile": "one\ntwo\n",
        "structuredPatch": [
            {"oldStart": 1, "newStart": 1, "lines": [" one", "-two", "+zwei", "+drei"]},
            {"oldStart": 8, "newStart": 9, "lines": ["-x", "+y", "\\ No newline at end of file"]},
        ],
        "userModified": False,
    }
    fields = result_fields("Edit", block("The file was updated"), native)
    assert [(each["oldText"], each["newText"]) for each in fields["content"]] == [
        ("one\ntwo\n", "one\nzwei\ndrei\n"),
        ("x\n", "y"),
    ]
    assert [each["_meta"]["sandbox_agent"] for each in fields["content"]] == [
        {"isWholeFile": False, "startLine": 1, "newStartLine": 1},
        {"isWholeFile": False, "startLine": 8, "newStartLine": 9},
    ]
    assert "originalFile" not in fields["rawOutput"]


def test_a_failed_edit_shows_why_and_no_diff() -> None:
    content = "<tool_use_error>File does not exist.</tool_use_error>"
    fields = result_fields("Edit", block(content, is_error=True), "Error: File does not exist.")
    assert fields == {
        "status": "failed",
        "content": [
            {"type": "content", "content": {"type": "text", "text": "File does not exist."}}
        ],
        "rawOutput": "File does not exist.",
    }


def test_a_command_in_the_background_has_no_exit_code() -> None:
    native = {"stdout": "", "stderr": "", "backgroundTaskId": "b1"}
    fields = result_fields("Bash", block("Command running in background"), native)
    assert "exitCode" not in fields["rawOutput"]
    assert fields["content"], "where its output goes is worth telling"


def test_a_refused_command_has_neither_output_nor_exit_code() -> None:
    fields = result_fields("Bash", block("The user said no", is_error=True), "Error: no")
    assert "rawOutput" not in fields
    assert fields["content"], "what the model was told is worth telling"


@pytest.mark.parametrize("native", [None, {"stdout": "", "stderr": ""}])
def test_a_silent_command_shows_nothing(native: Any) -> None:
    fields = result_fields("Bash", block("(Bash completed with no output)"), native)
    assert "content" not in fields
    assert (fields["rawOutput"]["stdout"], fields["rawOutput"]["stderr"]) == ("", "")


def test_an_image_is_told_once() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    native = {"type": "image", "file": {"base64": "AAAA", "type": "image/png", "originalSize": 3}}
    fields = result_fields("Read", block([{"type": "image", "source": source}]), native)
    image = {"type": "image", "mimeType": "image/png", "data": "AAAA"}
    assert fields["content"] == [{"type": "content", "content": image}]
    assert fields["rawOutput"] == {
        "type": "image",
        "file": {"type": "image/png", "originalSize": 3},
    }
