"""Pi's tools in ACP's words: what a call is about, from its input, and what it answered."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, compact

from sandbox_agent_server.agents.native.content import text_block, text_of, wrapped
from sandbox_agent_server.agents.native.hunks import hunks_of, new_file, piece, whole_file
from sandbox_agent_server.agents.pi.content import acp_blocks

__all__ = ["READ_ONLY", "Overwritten", "appended", "call_fields", "result_fields"]

READ_ONLY: Final = frozenset({"read", "grep", "find", "ls"})

_TITLE_CHARS: Final = 200
_OVERLAP_CHARS: Final = 256
_EXIT_CODE: Final = re.compile(r"\n*Command exited with code (\d+)\Z")
_STOPPED: Final = re.compile(r"\n*Command (?:aborted|timed out after|terminated without)[^\n]*\Z")
_SILENT: Final = "(no output)"
"""What the model is told of a command that printed nothing."""
_KINDS: Final[Mapping[str, str]] = {
    "bash": "execute",
    "edit": "edit",
    "find": "search",
    "grep": "search",
    "ls": "search",
    "read": "read",
    "write": "edit",
}


@dataclass(frozen=True, slots=True)
class Overwritten:
    """What a file held that is about to be written over."""

    text: str | None = None
    """None: there is no such file, or nobody knows."""


def call_fields(
    name: str, tool_input: Any, *, cwd: str, overwritten: Overwritten = Overwritten()
) -> dict[str, Any]:
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
    if content := _diffs(name, given, cwd, overwritten):
        fields["content"] = content
    return fields


def result_fields(
    name: str,
    tool_input: Any,
    result: Any,
    *,
    is_error: bool,
    cwd: str,
    overwritten: Overwritten = Overwritten(),
) -> dict[str, Any]:
    """Fields of the call's last update."""
    told = as_dict(result)
    blocks = acp_blocks(told.get("content"))
    given, details = as_dict(tool_input), as_dict(told.get("details"))
    fields: dict[str, Any] = {"status": "failed" if is_error else "completed"}
    if name == "bash":
        output = _shell_output(text_of(blocks), told, is_error=is_error)
        if output is not None:
            fields["rawOutput"] = output
        text = text_of(blocks) if output is None else output["stdout"]
        fields["content"] = [wrapped(text_block(text))] if text else []
        return fields
    changed = (
        [] if is_error else _patched(given, cwd, details) or _diffs(name, given, cwd, overwritten)
    )
    # Of a file that was changed, the change says more than Pi's sentence about it.
    fields["content"] = changed or [wrapped(block) for block in blocks]
    text = text_of(blocks)
    if details or text:
        fields["rawOutput"] = {"output": text, **details} if details else text
    return fields


def appended(before: str, now: str) -> str:
    """What `now` has that `before` had not. Pi repeats the last 50 kB of a command's output each time."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-_OVERLAP_CHARS:]
    at = now.rfind(tail)
    return now if at < 0 else now[at + len(tail) :]


def _shell_output(text: str, told: dict[str, Any], *, is_error: bool) -> dict[str, Any] | None:
    """Both streams come merged. The code of a failure is only told in the text for the model. None: the
    command was refused, and the text says so."""
    details = as_dict(told.get("details"))
    measured = as_dict(told.get("structuredContent"))
    if isinstance(printed := measured.get("output"), str):
        seconds = measured.get("wall_time_seconds")
        known = compact(
            exitCode=measured.get("exit_code"),
            durationMs=round(seconds * 1000) if isinstance(seconds, (int, float)) else None,
        )
        return {"stdout": printed, **known, **details}
    if not is_error:
        return {"stdout": _printed(text), "exitCode": 0, **details}
    if (code := _EXIT_CODE.search(text)) is not None:
        printed = _printed(text[: code.start()])
        return {"stdout": printed, "exitCode": int(code.group(1)), **details}
    if (stopped := _STOPPED.search(text)) is not None:
        return {"stdout": text[: stopped.start()], "error": stopped.group().strip(), **details}
    return None


def _printed(text: str) -> str:
    return "" if text == _SILENT else text


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


def _diffs(
    name: str, given: Mapping[str, Any], cwd: str, overwritten: Overwritten
) -> list[dict[str, Any]]:
    path = _path(given, cwd)
    if path is None:
        return []
    if name == "write" and isinstance(content := given.get("content"), str):
        if overwritten.text is None:
            return [new_file(path, content)]
        return [whole_file(path, overwritten.text, content)]
    if name != "edit":
        return []
    listed = given.get("edits")
    # Models also give one edit without the list, which Pi takes.
    edits = [*as_list(listed), given]
    return [
        piece(path, edit["oldText"], edit["newText"])
        for edit in edits
        if isinstance(edit, dict)
        and isinstance(edit.get("oldText"), str)
        and isinstance(edit.get("newText"), str)
    ]


def _patched(given: Mapping[str, Any], cwd: str, details: dict[str, Any]) -> list[dict[str, Any]]:
    """The hunks of what Pi made of an edit, which knows the lines."""
    path, patch = _path(given, cwd), details.get("patch")
    if path is None or not isinstance(patch, str):
        return []
    hunks = hunks_of(patch)
    return [piece(path, "".join(hunk.old), "".join(hunk.new), hunk) for hunk in hunks]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
