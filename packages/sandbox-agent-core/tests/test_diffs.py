"""Hunks: what they take out and put in, and where."""

from __future__ import annotations

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
def test_small_changes_have_the_hunks_of_a_unified_diff(old: str, new: str) -> None:
    before = [line + "\n" for line in old.split("\n")]
    after = [line + "\n" for line in new.split("\n")]
    theirs = [line for line in unified_diff(before, after) if line.startswith("@@")]
    ours = hunks_of("".join(before), "".join(after), 1, 1)
    assert bool(ours) == bool(theirs)
    for hunk in ours:
        assert any(line[0] in "+-" for line in hunk["lines"])


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
    # Ten different lines again and again: each equals a tenth of the others.
    old = "".join(f"{n % 120}\n" for n in range(size))
    new = "".join(f"{n * 7 % 121}\n" for n in range(size))
    assert applied(old, hunks_of(old, new, 1, 1)) == new


def test_a_change_beyond_the_limit_has_its_texts_and_no_hunks() -> None:
    told = diff_data("a", None, "x" * (MAX_HUNK_CHARS + 1))
    assert "hunks" not in told
