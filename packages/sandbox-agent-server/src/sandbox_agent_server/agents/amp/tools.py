"""Amp's tools in ACP's words: what a call is about, from its input."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.agents.native.grants import Scope

__all__ = ["READ_ONLY", "call_fields", "scope_of"]

READ_ONLY: Final = frozenset(
    {
        "Glob", "Grep", "Read", "finder", "find_thread", "get_diagnostics", "glob",
        "list_directory", "look_at", "mermaid", "read_thread", "task_list", "todo_read", "todo_write",
    }
)  # fmt: skip
"""Run without asking: they change nothing outside of Amp and leave the machine for nowhere else."""

_TITLE_CHARS: Final = 200
_KINDS: Final[Mapping[str, str]] = {
    "Bash": "execute",
    "Glob": "search",
    "Grep": "search",
    "Read": "read",
    "Task": "think",
    "async_shell_command": "execute",
    "create_file": "edit",
    "edit_file": "edit",
    "find_thread": "search",
    "finder": "search",
    "glob": "search",
    "librarian": "think",
    "list_directory": "search",
    "look_at": "read",
    "oracle": "think",
    "read_thread": "read",
    "read_web_page": "fetch",
    "shell_command": "execute",
    "todo_write": "think",
    "undo_edit": "edit",
    "web_search": "search",
}
_EDITS: Final = frozenset({"create_file", "edit_file", "undo_edit"})
_COMMANDS: Final = {"Bash": "cmd", "shell_command": "command", "async_shell_command": "command"}
_ABOUT: Final = ("cmd", "command", "description", "pattern", "filePattern", "query", "url")


def call_fields(name: str, tool_input: Any, *, cwd: str) -> dict[str, Any]:
    """`title`, `kind`, `rawInput`, and where they say something `locations` and `content`."""
    given = as_dict(tool_input)
    fields: dict[str, Any] = {
        "title": _title(name, given, cwd),
        "kind": _KINDS.get(name, "other"),
        "rawInput": tool_input if tool_input is not None else {},
    }
    path = given.get("path")
    if name not in _KINDS or not isinstance(path, str) or not path:
        return fields
    path = posixpath.normpath(posixpath.join(cwd, path))
    fields["locations"] = [{"path": path}]
    old, new = given.get("old_str"), given.get("new_str", given.get("content"))
    if _KINDS[name] == "edit" and isinstance(new, str):
        diff: dict[str, Any] = {"type": "diff", "path": path, "newText": new}
        if isinstance(old, str):
            piece = {"sandbox_agent": {"isWholeFile": False}}
            diff |= {"oldText": old, "_meta": piece}
        fields["content"] = [diff]
    return fields


def scope_of(name: str, tool_input: Any) -> Scope:
    """What an "always" for this call covers."""
    if name in _EDITS:
        return Scope("edits")
    command = as_dict(tool_input).get(_COMMANDS.get(name, ""))
    return Scope("command", command) if isinstance(command, str) else Scope("tool", name)


def _title(name: str, given: Mapping[str, Any], cwd: str) -> str:
    for key in _ABOUT:
        if isinstance(value := given.get(key), str) and value.strip():
            text = value if _KINDS.get(name) == "execute" else f"{name} {value}"
            first, _, rest = text.strip().partition("\n")
            first = first if len(first) <= _TITLE_CHARS else first[: _TITLE_CHARS - 1] + "…"
            return f"{first} …" if rest.strip() else first
    path = given.get("path")
    if isinstance(path, str) and path:
        inside = posixpath.relpath(posixpath.join(cwd, path), cwd)
        return f"{name} {path if inside.startswith('..') else inside}"
    return name or "Tool"
