"""The changes of files that a tool call would make, as diffs, wherever its agent tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox_agent_core.diffs import diff_data
from sandbox_agent_core.lenient import as_dict, as_str, as_text, dicts_in
from sandbox_agent_core.patches import patch_changes

__all__ = ["changes_of"]

_PATHS: Final = (
    "file_path",
    "filePath",
    "filepath",
    "path",
    "target_file",
    "fileName",
    "filename",
    "file",
)
_OLD: Final = ("old_string", "oldString", "old_str", "oldText", "old_text")
_NEW: Final = ("new_string", "newString", "new_str", "newText", "new_text")
_WHOLE: Final = ("content", "contents", "file_text", "fileText", "text")
_PATCHES: Final = ("diff", "patch", "unified_diff", "input")


def changes_of(tool_call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data of `Diff`s, out of the arguments and `_meta` of a call whose content has none."""
    given = tool_call.get("rawInput")
    metas = (as_dict(meta).get("metadata") for meta in as_dict(tool_call.get("_meta")).values())
    for arguments in (given, *metas):
        if changes := list(_changes(as_dict(arguments))):
            return changes
    return list(_patched(given)) if isinstance(given, str) else []


def _changes(given: Mapping[str, Any], path: str | None = None) -> Iterator[dict[str, Any]]:
    path = _first(given, _PATHS) or path
    old, new = _first(given, _OLD), _first(given, _NEW)
    if path is not None and new is not None:
        yield diff_data(path, old, new, is_whole_file=False)
        return
    edits = [change for edit in dicts_in(given.get("edits")) for change in _changes(edit, path)]
    if edits:
        yield from edits
        return
    patched = [change for key in _PATCHES for change in _patched(given.get(key))]
    if patched:
        yield from patched
    elif path is not None and (whole := _first(given, _WHOLE)) is not None:
        yield diff_data(path, None, whole)


def _patched(text: Any) -> Iterator[dict[str, Any]]:
    for change in patch_changes(as_text(text) or ""):
        is_new = not change.old
        yield diff_data(
            change.path,
            None if is_new else change.old,
            change.new,
            is_whole_file=is_new,
            hunks=change.hunks,
        )


def _first(given: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := as_str(given.get(key))) is not None), None)
