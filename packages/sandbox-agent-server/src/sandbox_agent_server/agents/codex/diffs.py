"""Codex's file changes as ACP diffs: whole texts for new and deleted files, hunk by hunk for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_text, compact, dicts_in

__all__ = ["Hunk", "change_diffs", "change_kind", "change_locations", "hunks_of"]

_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,\d+)? \+(\d{1,9})(?:,\d+)? @@")
_NO_NEWLINE: Final = "\\ No newline at end of file"
# Not `splitlines`, which also splits at form feeds and the line separators of Unicode.
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(slots=True)
class Hunk:
    old_line: int | None
    """Where it starts in the file as it was, from 1."""
    line: int | None
    """Where it starts in the new file, from 1."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def hunks_of(diff: str) -> Iterator[Hunk]:
    """The hunks of a unified diff of one file; its headers are skipped.

    The lines keep their ends, so that a missing newline at the end of the file shows.
    """
    hunk: Hunk | None = None
    last: tuple[list[str], ...] = ()
    for line in _LINES.findall(diff):
        if line.startswith("@@"):
            if hunk is not None:
                yield hunk
            match = _HUNK.match(line)
            hunk = Hunk(int(match[1]), int(match[2])) if match else Hunk(None, None)
        elif hunk is None:
            continue
        elif line.startswith(_NO_NEWLINE):
            for side in last:
                side[-1] = side[-1].removesuffix("\n")
        else:
            last = _sides(hunk, line[:1])
            for side in last:
                side.append(line[1:] or line)
    if hunk is not None:
        yield hunk


def _sides(hunk: Hunk, sign: str) -> tuple[list[str], ...]:
    return {"-": (hunk.old,), "+": (hunk.new,)}.get(sign, (hunk.old, hunk.new))


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
            # Without `oldText`: the file is new.
            yield {"type": "diff", "path": path, "newText": body}
        case "delete":
            yield _diff(path, body, "") | _place(is_whole=True)
        case _:
            target = as_text(kind.get("move_path")) or path
            for hunk in hunks_of(body):
                diff = _diff(target, "".join(hunk.old), "".join(hunk.new))
                yield diff | _place(is_whole=False, startLine=hunk.old_line, newStartLine=hunk.line)


def _diff(path: str, old: str, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


def _place(*, is_whole: bool, **lines: int | None) -> dict[str, Any]:
    """Which piece of the file the texts of a diff are."""
    return {"_meta": {"sandbox_agent": {"isWholeFile": is_whole, **compact(**lines)}}}


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
