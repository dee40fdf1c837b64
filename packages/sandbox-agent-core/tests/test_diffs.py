"""Hunks: what they take out and put in, and where."""

from __future__ import annotations

import re
from difflib import unified_diff
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.diffs import (
    MAX_COMPARED_LINES,
    MAX_HUNK_CHARS,
    NO_NEWLINE,
    diff_data,
    hunks_of,
    told_diff,
)

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "d\f e", "\u2028"]), max_size=40).flatmap(
    lambda lines: st.sampled_from(["\n".join(lines), "".join(line + "\n" for line in lines)])
)


def applied(old: str, hunks: list[dict[str, Any]]) -> str:
    """What `patch` makes of the old text."""
    lines = old.split("\n")
    ends_open = lines[-1] != ""
    lines = lines if ends_open else lines[:-1]
    made: list[str] = []
    at = 0
    for hunk in hunks:
        begin = max(hunk["oldStart"] - 1, 0)
        made += lines[at:begin]
        at = begin
        last_sign = ""
        for line in hunk["lines"]:
            if line == NO_NEWLINE:
                if last_sign in " +":
                    ends_open = True
                continue
            last_sign = line[0]
            if last_sign in " -":
                assert lines[at] == line[1:]
                at += 1
            if last_sign in " +":
                made.append(line[1:])
                ends_open = False
    rest = lines[at:]
    if rest:
        ends_open = not old.endswith("\n")
    made += rest
    return "\n".join(made) + ("" if ends_open or not made else "\n")


@given(TEXTS, TEXTS)
def test_hunks_make_the_new_text_of_the_old(old: str, new: str) -> None:
    assert applied(old, hunks_of(old, new, 1, 1)) == new


@given(TEXTS, TEXTS)
def test_every_hunk_changes_something_and_equal_texts_have_none(old: str, new: str) -> None:
    hunks = hunks_of(old, new, 1, 1)
    assert bool(hunks) == (old != new)
    assert all(any(line[0] in "+-" for line in hunk["lines"]) for hunk in hunks)


def test_hunks_are_those_of_a_unified_diff() -> None:
    old = [f"line {n}\n" for n in range(60)]
    new = [*old[:5], "new\n", *old[5:30], *old[31:]]
    hunks = hunks_of("".join(old), "".join(new), 1, 1)
    theirs = [line.removesuffix("\n") for line in unified_diff(old, new)][2:]
    assert [line for hunk in hunks for line in hunk["lines"]] == [
        line for line in theirs if not line.startswith("@@")
    ]
    starts = [f"@@ -{hunk['oldStart']},{{}} +{hunk['newStart']},{{}} @@" for hunk in hunks]
    assert [re.sub(r",\d+", ",{}", line) for line in theirs if line.startswith("@@")] == starts


def test_a_piece_has_the_lines_of_its_place() -> None:
    piece = {
        "type": "diff", "path": "a", "oldText": "x\ny\n", "newText": "x\nz\n",
        "_meta": {"sandbox_agent": {"startLine": 40, "newStartLine": 42, "isWholeFile": False}},
    }  # fmt: skip
    told = told_diff(piece)
    assert told["isWholeFile"] is False
    assert told["hunks"] == [{"oldStart": 40, "newStart": 42, "lines": [" x", "-y", "+z"]}]


def test_a_piece_of_an_unknown_place_has_no_numbers() -> None:
    told = told_diff({"type": "diff", "path": "a", "oldText": "x", "newText": "z"})
    assert told == {
        "path": "a", "oldText": "x", "newText": "z",
        "hunks": [{"lines": ["-x", NO_NEWLINE, "+z", NO_NEWLINE]}],
    }  # fmt: skip


def test_a_new_file_is_whole_and_begins_at_its_first_line() -> None:
    told = diff_data("a", None, "x\ny\n")
    assert told["isWholeFile"] is True
    assert told["hunks"] == [{"oldStart": 0, "newStart": 1, "lines": ["+x", "+y"]}]


@pytest.mark.parametrize("meta", [7, {"sandbox_agent": []}, {"sandbox_agent": {"startLine": "x", "isWholeFile": 1}}])  # fmt: skip
def test_meta_of_any_shape_is_no_place(meta: Any) -> None:
    item = {"type": "diff", "path": "a", "oldText": "x\n", "newText": "z\n", "_meta": meta}
    assert told_diff(item)["hunks"] == [{"lines": ["-x", "+z"]}]


def test_two_changes_far_apart_are_two_hunks() -> None:
    old = "".join(f"line {n}\n" for n in range(1000))
    new = old.replace("line 10\n", "ten\n").replace("line 900\n", "nine hundred\n")
    assert [hunk["oldStart"] for hunk in hunks_of(old, new, 1, 1)] == [8, 898]


@pytest.mark.parametrize("size", [MAX_COMPARED_LINES + 1, MAX_COMPARED_LINES])
def test_what_takes_long_to_compare_is_one_hunk(size: int) -> None:
    # The same lines again and again: each has a dozen that equal it.
    old = "".join(f"{n % 120}\n" for n in range(size))
    new = "".join(f"{n * 7 % 121}\n" for n in range(size))
    (hunk,) = hunks_of(old, new, 1, 1)
    assert applied(old, [hunk]) == new


def test_a_change_beyond_the_limit_has_its_texts_and_no_hunks() -> None:
    told = diff_data("a", None, "x" * (MAX_HUNK_CHARS + 1))
    assert "hunks" not in told
