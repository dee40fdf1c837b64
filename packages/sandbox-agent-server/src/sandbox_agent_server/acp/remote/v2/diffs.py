"""A change of a file as version 2 has it: which file it is, and a patch in git's format with absolute paths. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox_agent_core.diffs import hunks_of, told_diff
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.tools import is_diff

__all__ = ["diff"]


def diff(item: dict[str, Any]) -> dict[str, Any]:
    """Of version 1's `{type: diff, path, oldText?, newText}`; any other stays as it is.

    Where the agent does not say at which line its piece of the file begins, the patch counts from 1.
    """
    if not is_diff(item):
        return item
    told = told_diff(item)
    path, is_new = told["path"], told.get("oldText") is None
    change = {"operation": "add" if is_new else "modify", "path": path}
    kept = {"_meta": as_dict(item["_meta"])} if "_meta" in item else {}
    result = {"type": "diff", "changes": [change], **kept}
    hunks = told.get("hunks", ())
    if any("oldStart" not in hunk for hunk in hunks):
        hunks = hunks_of(told.get("oldText") or "", told["newText"], 1, 1)
    if hunks and path.isprintable() and not set(path) & set('"\\'):
        result["patch"] = {"format": "git_patch", "text": _patch(path, hunks, is_new=is_new)}
    return result


def _patch(path: str, hunks: Sequence[dict[str, Any]], *, is_new: bool) -> str:
    lines = [f"diff --git {path} {path}"]
    if is_new:
        lines.append("new file mode 100644")
    lines += [f"--- {'/dev/null' if is_new else path}", f"+++ {path}"]
    for hunk in hunks:
        old, new = (sum(line[:1] in (" ", sign) for line in hunk["lines"]) for sign in "-+")
        lines.append(f"@@ -{hunk['oldStart']},{old} +{hunk['newStart']},{new} @@")
        lines += hunk["lines"]
    return "\n".join(lines) + "\n"
