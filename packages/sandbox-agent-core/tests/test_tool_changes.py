"""What a tool call would change, found wherever agents put it."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.patches import patch_changes, patched_paths
from sandbox_agent_core.tool_changes import changes_of

PATCH = """\
Index: /w/a.txt
====================================================================
--- /w/a.txt
+++ /w/a.txt
@@ -1,2 +1,2 @@
 one
-two
+three
\\ No newline at end of file
"""


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({"file_path": "a", "old_string": "b", "new_string": "c"}, ("a", "b", "c")),
        ({"path": "a", "old_str": "b", "new_str": "c"}, ("a", "b", "c")),
        ({"filePath": "a", "edits": [{"oldText": "b", "newText": "c"}]}, ("a", "b", "c")),
        ({"path": "a", "content": "c"}, ("a", None, "c")),
        ({"path": "a", "file_text": "c"}, ("a", None, "c")),
        ({"filepath": "/w/a.txt", "diff": PATCH}, ("/w/a.txt", "one\ntwo\n", "one\nthree\n")),
        (PATCH, ("/w/a.txt", "one\ntwo\n", "one\nthree\n")),
        ({"input": "*** Begin Patch\n*** Add File: a\n+b\n*** End Patch"}, ("a", None, "b\n")),
    ],
)
def test_a_change_is_found_in_the_arguments(
    given: Any, change: tuple[str, str | None, str]
) -> None:
    _path, old, new = change
    (told,) = changes_of({"rawInput": given})
    assert (told["path"], told.get("oldText"), told["newText"]) == change
    assert told["isWholeFile"] is (old is None)
    assert [line[1:] for line in told["hunks"][0]["lines"] if line[0] == "+"] == [
        line for line in new.splitlines() if line not in (old or "")
    ]
    if isinstance(given, dict):
        assert changes_of({"_meta": {"opencode": {"metadata": given}}}) == [told]


@pytest.mark.parametrize(
    "given", [None, 7, [], "x", {}, {"path": "a"}, {"new_string": "b"}, {"edits": [7]}]
)
def test_where_no_change_is_told_none_is_shown(given: Any) -> None:
    assert changes_of({"rawInput": given, "_meta": {"a": 7}}) == []


def test_a_patch_of_several_files_is_several_changes() -> None:
    text = PATCH + "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    assert [change.path for change in patch_changes(text)] == ["/w/a.txt", "gone"]


@pytest.mark.parametrize(
    "line",
    [
        "--- " + " " * 300_000 + "x",
        "+++ " + "\t" * 300_000,
        "diff --git a/" + " b/" * 100_000,
        "--- a" + " x" * 200_000,
    ],
)
def test_a_header_of_any_length_is_read_at_once(line: str) -> None:
    # What goes back over it for each character would be stopped by the time limit of the test.
    assert len(patched_paths(line * 3)) <= 3
    assert list(patch_changes(line * 3)) == []
