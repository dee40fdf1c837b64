"""Claude's tools in ACP's words: kind, title, places and diffs of a call, from its input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.agents.native.content import text_block, wrapped

__all__ = ["diff", "display_path", "tool_fields"]

_TITLE_CHARS: Final = 200

_KINDS: Final[Mapping[str, str]] = {
    "Agent": "think",
    "Bash": "execute",
    "BashOutput": "execute",
    "Edit": "edit",
    "EnterPlanMode": "switch_mode",
    "ExitPlanMode": "switch_mode",
    "Glob": "search",
    "Grep": "search",
    "KillShell": "execute",
    "LS": "search",
    "Monitor": "execute",
    "MultiEdit": "edit",
    "NotebookEdit": "edit",
    "NotebookRead": "read",
    "Read": "read",
    "Skill": "read",
    "Task": "think",
    "TaskCreate": "think",
    "TaskList": "think",
    "TaskOutput": "execute",
    "TaskStop": "execute",
    "TaskUpdate": "think",
    "TodoWrite": "think",
    "ToolSearch": "search",
    "WebFetch": "fetch",
    "WebSearch": "search",
    "Write": "edit",
    "web_fetch": "fetch",
    "web_search": "search",
}

# How to call it, and which part of the input says what it is about.
_TITLES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Agent": ("{}", ("description",)),
    "Bash": ("{}", ("command",)),
    "EnterPlanMode": ("Start planning", ()),
    "ExitPlanMode": ("Plan ready", ()),
    "Glob": ("Glob {}", ("pattern",)),
    "Grep": ("Grep {}", ("pattern",)),
    "Monitor": ("{}", ("command", "description")),
    "Skill": ("Skill {}", ("skill", "command")),
    "Task": ("{}", ("description",)),
    "TaskCreate": ("New task: {}", ("subject",)),
    "TaskUpdate": ("Update task {}", ("taskId",)),
    "TodoWrite": ("Update the plan", ()),
    "ToolSearch": ("Search tools: {}", ("query",)),
    "WebFetch": ("Fetch {}", ("url",)),
    "WebSearch": ("Search the web: {}", ("query",)),
    "web_fetch": ("Fetch {}", ("url",)),
    "web_search": ("Search the web: {}", ("query",)),
}


def tool_fields(name: str, tool_input: Any, *, cwd: str) -> dict[str, Any]:
    """`title`, `kind`, `rawInput`, and where they say something `locations` and `content`."""
    given = as_dict(tool_input)
    fields: dict[str, Any] = {
        "title": _one_line(_title(name, given, cwd)),
        "kind": _KINDS.get(name, "other"),
        "rawInput": tool_input if tool_input is not None else {},
    }
    if locations := _locations(given):
        fields["locations"] = locations
    if content := _content(name, given):
        fields["content"] = content
    return fields


def diff(path: str, old: str | None, new: str, **place: Any) -> dict[str, Any]:
    """`old` None: a new file, or one of which only the new text is known. `place`: see `core.diffs.told_diff`."""
    told = {"type": "diff", "path": path, "oldText": old, "newText": new}
    return told | {"_meta": {"sandbox_agent": place}} if place else told


def _piece(path: str, old: str, new: str) -> dict[str, Any]:
    if not old:
        return diff(path, None, new)  # an Edit that puts something in place of nothing makes a file
    return diff(path, old, new, isWholeFile=False)


def display_path(path: str, cwd: str) -> str:
    pure = PurePath(path)
    return str(pure.relative_to(cwd)) if pure.is_relative_to(cwd) else path


def _path_of(given: Mapping[str, Any]) -> str | None:
    for key in ("file_path", "notebook_path", "path"):
        if isinstance(path := given.get(key), str) and path:
            return path
    return None


def _title(name: str, given: Mapping[str, Any], cwd: str) -> str:
    if name == "AskUserQuestion":
        return _first_question(given) or "Question"
    template, keys = _TITLES.get(name, (name, ()))
    if not keys and template != name:
        return template
    for key in keys:
        if isinstance(value := given.get(key), str) and value.strip():
            return template.format(value)
    if (path := _path_of(given)) is not None:
        return f"{name} {display_path(path, cwd)}"
    if name.startswith("mcp__") and name.count("__") >= 2:
        server, tool = name.removeprefix("mcp__").split("__", 1)
        return f"{server}: {tool}"
    return name or "Tool"


def _first_question(given: Mapping[str, Any]) -> str | None:
    match given.get("questions"):
        case [{"question": str(question)}, *_]:
            return question
        case _:
            return None


def _one_line(title: str) -> str:
    first, _, rest = title.strip().partition("\n")
    if len(first) > _TITLE_CHARS:
        return first[: _TITLE_CHARS - 1] + "…"
    return f"{first} …" if rest.strip() else first


def _locations(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    path = _path_of(given)
    if path is None:
        return []
    line = given.get("offset")
    if isinstance(line, int) and not isinstance(line, bool):
        return [{"path": path, "line": line}]
    return [{"path": path}]


def _content(name: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    path = _path_of(given)
    match name, given:
        case "Write", {"content": str(new)} if path:
            # What was there before is only told by the result.
            return [diff(path, None, new)]
        case "Edit", {"old_string": str(old), "new_string": str(new)} if path:
            return [_piece(path, old, new)]
        case "MultiEdit", {"edits": list(edits)} if path:
            return [
                _piece(path, edit["old_string"], edit["new_string"])
                for edit in edits
                if isinstance(edit, dict)
                and isinstance(edit.get("old_string"), str)
                and isinstance(edit.get("new_string"), str)
            ]
        case "NotebookEdit", {"new_source": str(new)} if path:
            return [diff(path, None, new)]
        case "ExitPlanMode", {"plan": str(plan)}:
            return [wrapped(text_block(plan))]
        case _:
            return []
