"""What a tool call changes in files, as ACP diffs: from the patch that OpenCode makes of it, which knows the
lines, else from the call's arguments. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_str, as_text, dicts_in

from sandbox_agent_server.agents.native.hunks import hunks_of, new_file, piece
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["changed_paths", "changes", "patch_in"]

_PATH_KEYS: Final = ("filePath", "path", "filepath")
_PATCHES: Final = ("diff", "filediff", "files")
_EDITS: Final = frozenset({"apply_patch", "edit", "multiedit", "patch", "write"})


def changes(tool: str, given: Mapping[str, Any], metadata: Native) -> list[dict[str, Any]]:
    """`metadata` is the permission's, or what the call tells of itself later."""
    if tool not in _EDITS:
        return []
    return list(_patched(given, metadata)) or list(_given(tool, given))


def patch_in(metadata: Native) -> Native:
    return {key: metadata[key] for key in _PATCHES if key in metadata}


def changed_paths(given: Mapping[str, Any], metadata: Native) -> list[str]:
    """Those of the arguments, and of the files that a patch is about."""
    paths = [path for key in _PATH_KEYS if (path := as_text(given.get(key)))]
    for file in dicts_in(metadata.get("files")):
        paths += [path for key in ("filePath", "movePath") if (path := as_text(file.get(key)))]
    return list(dict.fromkeys(paths))


def _patched(given: Mapping[str, Any], metadata: Native) -> Iterator[dict[str, Any]]:
    files = dicts_in(metadata.get("files"))
    for file in files:
        path = as_text(file.get("movePath")) or as_text(file.get("filePath"))
        yield from _hunks(path, _first(file, "patch", "diff"))
    if files:
        return
    told = as_dict(metadata.get("filediff"))
    path = next(iter(changed_paths(given, metadata)), None) or as_text(metadata.get("filepath"))
    yield from _hunks(path, as_text(told.get("patch")) or as_text(metadata.get("diff")))


def _hunks(path: str | None, patch: str | None) -> Iterator[dict[str, Any]]:
    if path is None or patch is None:
        return
    for hunk in hunks_of(patch):
        old, new = "".join(hunk.old), "".join(hunk.new)
        yield new_file(path, new) if hunk.old_line == 0 and not old else piece(path, old, new, hunk)


def _given(tool: str, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    path = next(iter(changed_paths(given, {})), None)
    if path is None:
        return
    if tool == "write":
        # What was there before, if anything, is not known yet.
        if (content := as_str(given.get("content"))) is not None:
            yield new_file(posixpath.normpath(path), content)
        return
    for edit in (given, *dicts_in(given.get("edits"))):
        old, new = as_str(edit.get("oldString")), as_str(edit.get("newString"))
        if old is not None and new is not None:
            yield piece(path, old, new) if old else new_file(path, new)


def _first(members: Native, *keys: str) -> str | None:
    return next((text for key in keys if (text := as_text(members.get(key)))), None)
