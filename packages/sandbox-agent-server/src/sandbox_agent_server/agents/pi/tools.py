"""Pi's tools in ACP's words: what a call is about, from its input, and what it answered."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list

from sandbox_agent_server.agents.native.content import text_of
from sandbox_agent_server.agents.pi.content import acp_blocks

__all__ = ["READ_ONLY", "appended", "call_fields", "result_fields"]

READ_ONLY: Final = frozenset({"read", "grep", "find", "ls"})

_TITLE_CHARS: Final = 200
_OVERLAP_CHARS: Final = 256
_EXIT_CODE: Final = re.compile(r"\n*Command exited with code (\d+)\Z")
_KINDS: Final[Mapping[str, str]] = {
    "bash": "execute",
    "edit": "edit",
    "find": "search",
    "grep": "search",
    "ls": "search",
    "read": "read",
    "write": "edit",
}


def call_fields(name: str, tool_input: Any, *, cwd: str) -> dict[str, Any]:
    """`title`, `kind`, `rawInput`, and where they say something `locations` and `content`."""
    given = as_dict(tool_input)
    fields: dict[str, Any] = {
        "title": _one_line(_title(name, given, cwd)),
        "kind": _KINDS.get(name, "other"),
        "rawInput": tool_input if tool_input is not None else {},
    }
    if name in _KINDS and (path := _path(given, cwd)) is not None:
        line = given.get("offset")
        fields["locations"] = [{"path": path} | ({"line": line} if _is_int(line) else {})]
    if content := _diffs(name, given, cwd):
        fields["content"] = content
    return fields


def result_fields(
    name: str, tool_input: Any, result: Any, *, is_error: bool, cwd: str
) -> dict[str, Any]:
    """Fields of the call's last update."""
    told = as_dict(result)
    blocks = acp_blocks(told.get("content"))
    given = as_dict(tool_input)
    diffs = [] if is_error else _diffs(name, given, cwd)
    fields: dict[str, Any] = {
        "status": "failed" if is_error else "completed",
        # Of a file that was changed, the change says more than Pi's sentence about it.
        "content": diffs or [{"type": "content", "content": block} for block in blocks],
    }
    output = _raw_output(name, text_of(blocks), told.get("details"), is_error=is_error)
    if output is not None:
        fields["rawOutput"] = output
    return fields


def appended(before: str, now: str) -> str:
    """What `now` has that `before` had not. Pi repeats the last 50 kB of a command's output each time."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-_OVERLAP_CHARS:]
    at = now.rfind(tail)
    return now if at < 0 else now[at + len(tail) :]


def _raw_output(name: str, text: str, details: Any, *, is_error: bool) -> Any:
    extra = dict(as_dict(details))
    if name == "bash":
        return _shell_output(text, extra, is_error=is_error)
    return {"output": text, **extra} if extra else text or None


def _shell_output(text: str, details: dict[str, Any], *, is_error: bool) -> dict[str, Any]:
    """Both streams come merged. The code of a failure is only told in the text for the model."""
    code = _EXIT_CODE.search(text) if is_error else None
    if code is not None:
        return {"output": text[: code.start()], "exitCode": int(code.group(1)), **details}
    if is_error:
        return {"output": text, **details}  # refused, aborted or timed out
    return {"output": "" if text == "(no output)" else text, "exitCode": 0, **details}


def _title(name: str, given: Mapping[str, Any], cwd: str) -> str:
    command, pattern = given.get("command"), given.get("pattern")
    if name == "bash" and isinstance(command, str) and command.strip():
        return command
    if name in ("grep", "find") and isinstance(pattern, str):
        return f"{name} {pattern}"
    if name in _KINDS and (path := _path(given, cwd)) is not None:
        inside = posixpath.relpath(path, cwd)
        return f"{name} {path if inside.startswith('..') else inside}"
    return name or "Tool"


def _one_line(title: str) -> str:
    first, _, rest = title.strip().partition("\n")
    if len(first) > _TITLE_CHARS:
        return first[: _TITLE_CHARS - 1] + "…"
    return f"{first} …" if rest.strip() else first


def _path(given: Mapping[str, Any], cwd: str) -> str | None:
    path = given.get("path")
    if not isinstance(path, str) or not path:
        return None
    return posixpath.normpath(posixpath.join(cwd, path))


def _diffs(name: str, given: Mapping[str, Any], cwd: str) -> list[dict[str, Any]]:
    path = _path(given, cwd)
    if path is None:
        return []
    if name == "write" and isinstance(given.get("content"), str):
        # What was there before is told nowhere.
        return [_diff(path, None, given["content"])]
    if name != "edit":
        return []
    listed = given.get("edits")
    # Models also give one edit without the list, which Pi takes.
    edits = [*as_list(listed), given]
    return [
        _diff(path, edit["oldText"], edit["newText"])
        for edit in edits
        if isinstance(edit, dict)
        and isinstance(edit.get("oldText"), str)
        and isinstance(edit.get("newText"), str)
    ]


def _diff(path: str, old: str | None, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
