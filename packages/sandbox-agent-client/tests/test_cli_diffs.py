"""How a change looks before a person."""

from __future__ import annotations

from sandbox_agent_client import Diff, Hunk
from sandbox_agent_client.cli.diffs import MAX_LINES, diff_text


def test_a_hunk_is_shown_with_the_lines_where_it_is() -> None:
    hunk = Hunk(old_start=40, new_start=42, lines=[" x", "-y", "+z"])
    diff = Diff(path="a", old_text="x\ny\n", new_text="x\nz\n", hunks=[hunk])
    assert diff_text(diff).plain == "--- a\n+++ a\n@@ -40 +42 @@\n x\n-y\n+z\n"


def test_a_new_file_and_a_piece_of_unknown_place() -> None:
    new = Diff(path="a", new_text="x\n", hunks=[Hunk(lines=["+x"])])
    assert diff_text(new).plain == "--- /dev/null\n+++ a\n@@ @@\n+x\n"


def test_a_change_without_hunks_says_so() -> None:
    assert "too large" in diff_text(Diff(path="a", old_text="x", new_text="y")).plain


def test_control_characters_are_visible_and_long_changes_are_counted() -> None:
    lines = ["+\x1b[2J", *(["+x"] * MAX_LINES)]
    shown = diff_text(Diff(path="a", new_text="x", hunks=[Hunk(lines=lines)])).plain
    assert "\x1b" not in shown
    assert shown.endswith("… 4 more lines\n")
