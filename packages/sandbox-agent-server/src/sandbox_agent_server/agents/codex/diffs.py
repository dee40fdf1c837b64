"""Codex's file changes as ACP diffs: whole texts for new and deleted files, hunk by hunk for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text, dicts_in

from sandbox_agent_server.agents.native.hunks import hunks_of, new_file, piece

__all__ = ["change_diffs", "change_kind", "change_locations"]


def change_diffs(changes: Any) -> list[dict[str, Any]]:
    """ACP's `{type: diff, path, oldText, newText}` for every change, or every hunk of one."""
    return [diff for change in dicts_in(changes) for diff in _diffs(change)]


def _diffs(change: dict[str, Any]) -> Iterator[dict[str, Any]]:
    path, body = as_text(change.get("path")), change.get("diff")
    if path is None or not isinstance(body, str):
        return
    kind = as_dict(change.get("kind"))
    match kind.get("type"):
        case "add":
            yield new_file(path, body)
        case "delete":
            whole = {"_meta": {"sandbox_agent": {"isWholeFile": True}}}
            yield {"type": "diff", "path": path, "oldText": body, "newText": "", **whole}
        case _:
            target = as_text(kind.get("move_path")) or path
            for hunk in hunks_of(body):
                yield piece(target, "".join(hunk.old), "".join(hunk.new), hunk)


def change_kind(changes: Any) -> str:
    """The tool kind of a set of changes: the gravest counts, since permissions go by it."""
    kinds = [as_dict(change.get("kind")) for change in dicts_in(changes)]
    if any(kind.get("type") == "delete" for kind in kinds):
        return "delete"
    return "move" if any(as_text(kind.get("move_path")) for kind in kinds) else "edit"


def change_locations(changes: Any) -> list[dict[str, Any]]:
    """Every file that is touched, a moved one at both its places."""
    found: list[dict[str, Any]] = []
    for change in dicts_in(changes):
        path = as_text(change.get("path"))
        if path is None:
            continue
        kind = as_dict(change.get("kind"))
        target = as_text(kind.get("move_path"))
        if target is not None:
            found.append({"path": path})
        location: dict[str, Any] = {"path": target or path}
        body = change.get("diff")
        if kind.get("type") == "update" and isinstance(body, str):
            first = next(hunks_of(body), None)
            if first is not None and first.line is not None:
                location["line"] = first.line
        found.append(location)
    return found
