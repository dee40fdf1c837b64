"""Calls and results of Pi's tools, and the content of prompts."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.pi.content import prompt_content
from sandbox_agent_server.agents.pi.offers import Offers
from sandbox_agent_server.agents.pi.tools import Overwritten, appended, call_fields, result_fields


@pytest.mark.parametrize(
    ("name", "given", "title", "kind"),
    [
        ("bash", {"command": "make\ntest"}, "make …", "execute"),
        ("read", {"path": "src/a.py"}, "read src/a.py", "read"),
        ("read", {"path": "/etc/hosts"}, "read /etc/hosts", "read"),
        ("grep", {"pattern": "def x"}, "grep def x", "search"),
        ("find", {"pattern": "*.py"}, "find *.py", "search"),
        ("ls", {}, "ls", "search"),
        ("write", {"path": "/repo/b", "content": ""}, "write b", "edit"),
        ("greet", {"path": "x"}, "greet", "other"),
        ("", None, "Tool", "other"),
        ("bash", {"command": 7}, "bash", "execute"),
    ],
)
def test_a_call_says_what_it_is(name: str, given: Any, title: str, kind: str) -> None:
    fields = call_fields(name, given, cwd="/repo")

    assert (fields["title"], fields["kind"]) == (title, kind)


def test_a_long_command_has_a_short_title() -> None:
    assert len(call_fields("bash", {"command": "x" * 999}, cwd="/repo")["title"]) == 200


def test_places_are_absolute_and_have_their_line() -> None:
    fields = call_fields("read", {"path": "../a", "offset": 3}, cwd="/repo/sub")

    assert fields["locations"] == [{"path": "/repo/a", "line": 3}]


def test_every_edit_is_a_diff_in_both_forms_that_models_use() -> None:
    one = {"oldText": "a", "newText": "b"}
    diff = {
        "type": "diff",
        "path": "/repo/f",
        "oldText": "a",
        "newText": "b",
        "_meta": {"sandbox_agent": {"isWholeFile": False}},
    }

    listed = call_fields("edit", {"path": "f", "edits": [one, one, "odd"]}, cwd="/repo")
    plain = call_fields("edit", {"path": "f", **one}, cwd="/repo")

    assert listed["content"] == [diff, diff]
    assert plain["content"] == [diff]


@pytest.mark.parametrize(
    ("text", "is_error", "output"),
    [
        ("done\n", False, {"stdout": "done\n", "exitCode": 0}),
        ("(no output)", False, {"stdout": "", "exitCode": 0}),
        ("bad\n\n\nCommand exited with code 3", True, {"stdout": "bad", "exitCode": 3}),
        ("(no output)\n\nCommand exited with code 3", True, {"stdout": "", "exitCode": 3}),
        ("x\n\n\nCommand aborted", True, {"stdout": "x", "error": "Command aborted"}),
        ("The user rejected it", True, None),
    ],
)
def test_how_a_command_ended(text: str, is_error: bool, output: dict[str, Any]) -> None:
    result = {"content": [{"type": "text", "text": text}]}

    fields = result_fields("bash", {}, result, is_error=is_error, cwd="/repo")

    assert fields.get("rawOutput") == output
    shown = text if output is None else output["stdout"]
    assert [item["content"]["text"] for item in fields["content"]] == ([shown] if shown else [])


def test_a_command_that_was_measured_has_its_output_whole() -> None:
    measured = {"output": "bad\n", "exit_code": 3, "wall_time_seconds": 1.5}
    result = {"content": [{"type": "text", "text": "…"}], "structuredContent": measured}

    fields = result_fields("bash", {}, result, is_error=True, cwd="/repo")

    assert fields["rawOutput"] == {"stdout": "bad\n", "exitCode": 3, "durationMs": 1500}


def test_an_edit_that_was_done_says_at_which_lines() -> None:
    given = {"path": "f", "edits": [{"oldText": "a", "newText": "b"}]}
    result = {"content": [], "details": {"patch": "--- f\n+++ f\n@@ -7,1 +7,1 @@\n-aa\n+ab\n"}}

    (diff,) = result_fields("edit", given, result, is_error=False, cwd="/repo")["content"]

    assert (diff["oldText"], diff["newText"]) == ("aa\n", "ab\n")
    assert diff["_meta"]["sandbox_agent"]["startLine"] == 7


def test_a_file_that_is_written_over_shows_what_it_held() -> None:
    given = {"path": "f", "content": "new"}
    (new,) = call_fields("write", given, cwd="/repo")["content"]
    (over,) = call_fields("write", given, cwd="/repo", overwritten=Overwritten("old"))["content"]

    assert "oldText" not in new
    assert (over["oldText"], over["newText"]) == ("old", "new")
    assert over["_meta"]["sandbox_agent"] == {"isWholeFile": True}


def test_an_edit_that_failed_shows_why_and_no_change() -> None:
    given = {"path": "f", "oldText": "a", "newText": "b"}
    result = {"content": [{"type": "text", "text": "no such text"}]}

    fields = result_fields("edit", given, result, is_error=True, cwd="/repo")

    assert fields["content"] == [
        {"type": "content", "content": {"type": "text", "text": "no such text"}}
    ]


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ("", "a", "a"),
        ("a\n", "a\nb\n", "b\n"),
        ("a\nb\n", "a\nb\n", ""),
        ("1\n2\n3\n" + "x" * 300, "3\n" + "x" * 300 + "4\n", "4\n"),
        ("gone", "entirely new", "entirely new"),
    ],
)
def test_only_new_output_is_told(before: str, now: str, new: str) -> None:
    assert appended(before, now) == new


def test_a_prompt_is_one_text_with_its_context_last() -> None:
    content = prompt_content(
        [
            {"type": "resource", "resource": {"uri": "file:///a", "text": "A"}},
            {"type": "text", "text": "/fix"},
            {"type": "resource_link", "uri": "file:///repo/b%20c", "name": "b"},
            {"type": "resource_link", "uri": "https://x", "name": "x"},
            {"type": "image", "data": "AA", "mimeType": "image/png"},
        ]
    )

    assert content.message == (
        '/fix\n\n/repo/b c\n\n[x](https://x)\n\n<context uri="file:///a">\nA\n</context>'
    )
    assert content.images == [{"type": "image", "data": "AA", "mimeType": "image/png"}]


@pytest.mark.parametrize(
    "blocks",
    [
        None,
        [],
        ["text"],
        [{"type": "audio", "data": "AA"}],
        [{"type": "image", "data": "AA", "mimeType": "image/tiff"}],
        [{"type": "image", "uri": "https://x"}],
        [{"type": "resource", "resource": {"blob": "AA", "mimeType": "application/pdf"}}],
    ],
)
def test_what_pi_cannot_take_is_refused(blocks: Any) -> None:
    with pytest.raises(InvalidParams):
        prompt_content(blocks)


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ({"reasoning": False}, []),
        ({"reasoning": True}, ["off", "minimal", "low", "medium", "high"]),
        (
            {"reasoning": True, "thinkingLevelMap": {"off": None, "xhigh": "xhigh"}},
            ["minimal", "low", "medium", "high", "xhigh"],
        ),
    ],
)
def test_a_model_offers_its_own_levels(model: dict[str, Any], levels: list[str]) -> None:
    state = {"model": {"provider": "p", "id": "m", **model}, "thinkingLevel": "low"}

    options = Offers(state=state, models={}, commands={}).config_options()

    offered = [choice["value"] for option in options[1:] for choice in option["options"]]
    assert offered == levels
