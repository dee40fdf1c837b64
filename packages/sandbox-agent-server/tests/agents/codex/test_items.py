"""Items of Codex as tool calls, and its file changes as diffs."""

from __future__ import annotations

from typing import Any

import pytest
from codex_replay import item
from sandbox_agent_server.agents.codex.diffs import change_diffs, change_kind, change_locations
from sandbox_agent_server.agents.codex.items import bare_command, result_fields, tool_fields


@pytest.mark.parametrize(
    ("command", "bare"),
    [
        ("/bin/bash -lc 'touch x'", "touch x"),
        ("/usr/bin/zsh -c 'a && b'", "a && b"),
        ("/bin/bash -lc \"echo 'it'\"", "echo 'it'"),
        ("git status", "git status"),
        ("/tmp/evil/bash -lc 'git status'", "/tmp/evil/bash -lc 'git status'"),
        ("/bin/bash -lc 'a' 'b'", "/bin/bash -lc 'a' 'b'"),
        ("/bin/bash -lc 'unclosed", "/bin/bash -lc 'unclosed"),
    ],
)
def test_only_a_shell_that_codex_put_there_itself_is_taken_off(command: str, bare: str) -> None:
    assert bare_command(command) == bare


def test_a_command_is_execution_even_when_it_looks_like_reading() -> None:
    read = {"type": "read", "command": "cat a", "name": "a", "path": "/repo/a"}
    command = item("commandExecution", command="/bin/bash -lc 'cat a'", commandActions=[read])

    fields = tool_fields(command, cwd="/repo")

    assert fields["kind"] == "execute"
    assert fields["rawInput"] == {"command": "cat a", "cwd": "/repo"}
    assert fields["locations"] == [{"path": "/repo/a"}]


def test_a_declined_command_has_failed_and_says_so() -> None:
    command = item("commandExecution", command="x", status="declined", aggregatedOutput=None)

    fields = result_fields(command, cwd="/repo")

    assert fields["status"] == "failed"
    assert fields["_meta"]["codex"]["status"] == "declined"


def test_a_silent_command_shows_nothing_instead_of_what_its_permission_showed() -> None:
    command = item("commandExecution", command="x", status="completed", aggregatedOutput="")

    assert result_fields(command, cwd="/repo")["content"] == []


def test_a_call_that_may_be_asked_for_is_pending_until_it_runs() -> None:
    kinds = ("commandExecution", "fileChange", "mcpToolCall", "webSearch")

    begun = [tool_fields(item(kind, status="inProgress"), cwd="/repo") for kind in kinds]

    assert [fields["status"] for fields in begun] == ["pending"] * 3 + ["in_progress"]


def test_exit_code_zero_is_told() -> None:
    command = item("commandExecution", command="x", status="completed", exitCode=0)

    assert result_fields(command, cwd="/repo")["rawOutput"] == {"exitCode": 0}


UPDATE = {
    "path": "/repo/a.txt",
    "kind": {"type": "update", "move_path": None},
    "diff": "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n@@ -9 +9,2 @@\n nine\n+ten\n",
}
DELETE = {"path": "/repo/b.txt", "kind": {"type": "delete"}, "diff": "gone\n"}
MOVE = {
    "path": "/repo/c.txt",
    "kind": {"type": "update", "move_path": "/elsewhere/d.txt"},
    "diff": "@@ -4 +4 @@\n-x\n\\ No newline at end of file\n+y\n",
}


def piece(old: int, new: int) -> dict[str, Any]:
    """Of a file, by the lines at which it starts."""
    return {"sandbox_agent": {"isWholeFile": False, "startLine": old, "newStartLine": new}}


def test_an_updated_file_is_a_diff_for_every_hunk() -> None:
    assert change_diffs([UPDATE]) == [
        {
            "type": "diff",
            "path": "/repo/a.txt",
            "oldText": "one\ntwo\nthree\n",
            "newText": "one\nTWO\nthree\n",
            "_meta": piece(1, 1),
        },
        {
            "type": "diff",
            "path": "/repo/a.txt",
            "oldText": "nine\n",
            "newText": "nine\nten\n",
            "_meta": piece(9, 9),
        },
    ]
    assert change_locations([UPDATE]) == [{"path": "/repo/a.txt", "line": 1}]


def test_a_deleted_file_shows_what_was_in_it() -> None:
    assert change_diffs([DELETE]) == [
        {
            "type": "diff",
            "path": "/repo/b.txt",
            "oldText": "gone\n",
            "newText": "",
            "_meta": {"sandbox_agent": {"isWholeFile": True}},
        }
    ]


def test_a_missing_newline_at_the_end_of_a_file_shows() -> None:
    moved = change_diffs([MOVE])[0]

    assert (moved["oldText"], moved["newText"]) == ("x", "y\n")


def test_a_moved_file_is_at_both_its_places_so_that_rules_see_both() -> None:
    assert change_locations([MOVE]) == [
        {"path": "/repo/c.txt"},
        {"path": "/elsewhere/d.txt", "line": 4},
    ]
    assert change_diffs([MOVE])[0]["path"] == "/elsewhere/d.txt"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([UPDATE], "edit"),
        ([UPDATE, MOVE], "move"),
        ([UPDATE, MOVE, DELETE], "delete"),
        ([], "edit"),
    ],
)
def test_the_gravest_change_is_the_kind_of_all(changes: list[dict], kind: str) -> None:
    assert change_kind(changes) == kind


def test_lines_that_only_unicode_breaks_stay_whole() -> None:
    change = UPDATE | {"diff": "@@ -1 +1 @@\n-a\u2028b\x0cc\n+d\n"}

    assert change_diffs([change])[0]["oldText"] == "a\u2028b\x0cc\n"


def test_a_failed_mcp_call_says_why() -> None:
    call = item(
        "mcpToolCall", server="s", tool="t", status="failed", error={"message": "no such word"}
    )

    fields = result_fields(call, cwd="/repo")

    assert fields["status"] == "failed"
    assert fields["content"][0]["content"]["text"] == "no such word"


def test_an_image_of_an_mcp_tool_is_an_image() -> None:
    image = {"type": "image", "data": "AA==", "mimeType": "image/png"}
    call = item(
        "mcpToolCall", server="s", tool="t", status="completed", result={"content": [image]}
    )

    assert result_fields(call, cwd="/repo")["content"] == [{"type": "content", "content": image}]


@pytest.mark.parametrize(
    ("action", "kind", "title"),
    [
        ({"type": "search", "query": "q"}, "search", "Search the web: q"),
        ({"type": "open_page", "url": "http://a"}, "fetch", "Open http://a"),
        (
            {"type": "find_in_page", "url": "http://a", "pattern": "p"},
            "fetch",
            "Find 'p' in http://a",
        ),
        (None, "search", "Search the web: q"),
    ],
)
def test_a_web_search_says_what_it_does(action: dict | None, kind: str, title: str) -> None:
    fields = tool_fields(item("webSearch", query="q", action=action), cwd="/repo")

    assert (fields["kind"], fields["title"]) == (kind, title)


def test_a_long_title_is_cut_and_one_of_many_lines_says_so() -> None:
    assert tool_fields(item("commandExecution", command="a\nb"), cwd="/")["title"] == "a …"
    assert len(tool_fields(item("commandExecution", command="x" * 999), cwd="/")["title"]) == 200
