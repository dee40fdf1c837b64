"""What a tool answered: status, content and raw output of the call's last update."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_int, compact

from sandbox_agent_server.agents.claude.content import acp_blocks
from sandbox_agent_server.agents.claude.tools import diff
from sandbox_agent_server.agents.native.content import text_of, wrapped

__all__ = ["raw_output", "result_fields"]

_EXIT_CODE: Final = re.compile(r"\AExit code (\d+)(?:\n|\Z)")
# What the model is told of a command that says nothing; beside it is no record in a sub-agent.
_SILENT: Final = re.compile(r"\((?:Bash completed with )?no output\)", re.IGNORECASE)
_ERROR_TAGS: Final = re.compile(r"\A<tool_use_error>(.*)</tool_use_error>\Z", re.DOTALL)

# Whole copies of files that the diff, the input or the content shows already.
_REDUNDANT: Final = frozenset({"originalFile", "oldString", "newString", "content", "base64"})
_SHELLS: Final = frozenset({"Bash", "BashOutput", "TaskOutput"})


def result_fields(name: str | None, block: Mapping[str, Any], native: Any) -> dict[str, Any]:
    """Fields for `tool_call_update`.

    `block` is the `tool_result` block, what the model gets to see; `native` is the
    `tool_use_result` beside it: Claude Code's own record, absent for sub-agents and old versions.
    """
    failed = block.get("is_error") is True
    blocks = acp_blocks(block.get("content"))
    for item in blocks:
        if item["type"] == "text" and (tagged := _ERROR_TAGS.match(item["text"])):
            item["text"] = tagged.group(1)
    fields: dict[str, Any] = {"status": "failed" if failed else "completed"}
    content = _diffs(native) if not failed else []
    if not content:
        content = [wrapped(item) for item in _shell_blocks(name, blocks, native)]
    if content:
        fields["content"] = content
    output = raw_output(name, text_of(blocks), native, failed=failed)
    if output is not None:
        fields["rawOutput"] = output
    return fields


def raw_output(name: str | None, text: str, native: Any, *, failed: bool) -> Any:
    if name in _SHELLS:
        return _shell_output(text, native, failed=failed)
    if isinstance(native, dict):
        return _without_copies(native)
    if isinstance(native, list):
        return None  # An MCP result: the same blocks as in the content.
    return text or None


def _shell_output(text: str, native: Any, *, failed: bool) -> Any:
    """`{stdout, stderr, exitCode?, …}`. Claude tells the code only in the text of a failure."""
    if isinstance(native, dict):
        output = dict(native)
        ended = not output.get("backgroundTaskId") and not output.get("interrupted")
        if ended and not failed and "stdout" in output:
            output.setdefault("exitCode", 0)
        return output
    if failed and (code := _EXIT_CODE.match(text)):
        # stdout and stderr come merged here.
        return {"stdout": text[code.end() :], "stderr": "", "exitCode": int(code.group(1))}
    if failed:
        return None  # It was refused, or interrupted: the text is a sentence for the model.
    return {"stdout": "" if _SILENT.fullmatch(text) else text, "stderr": ""}


def _shell_blocks(
    name: str | None, blocks: list[dict[str, Any]], native: Any
) -> list[dict[str, Any]]:
    """A silent command shows nothing, rather than the sentence that the model gets instead."""
    if name != "Bash" or not all(item["type"] == "text" for item in blocks):
        return blocks
    if isinstance(native, dict):
        is_told = native.get("stdout") or native.get("stderr") or native.get("backgroundTaskId")
        return blocks if is_told or "stdout" not in native else []
    return [] if _SILENT.fullmatch(text_of(blocks)) else blocks


def _without_copies(native: dict[str, Any]) -> dict[str, Any]:
    slim = {key: value for key, value in native.items() if key not in _REDUNDANT}
    if isinstance(file := slim.get("file"), dict):
        slim["file"] = {key: value for key, value in file.items() if key not in _REDUNDANT}
    return slim


def _diffs(native: Any) -> list[dict[str, Any]]:
    """What really changed in a file, hunk by hunk: the input of an Edit says what was meant."""
    match native:
        case {"filePath": str(path), "type": "create", "content": str(new)}:
            return [diff(path, None, new)]
        case {"filePath": str(path), "structuredPatch": [_, *_] as hunks}:
            return [
                diff(path, _side(hunk["lines"], "-"), _side(hunk["lines"], "+"), **_place(hunk))
                for hunk in hunks
                if isinstance(hunk, dict) and isinstance(hunk.get("lines"), list)
            ]
        case _:
            return []


def _place(hunk: dict[str, Any]) -> dict[str, Any]:
    lines = compact(
        startLine=as_int(hunk.get("oldStart")), newStartLine=as_int(hunk.get("newStart"))
    )
    return {"isWholeFile": False, **lines}


def _side(lines: list[Any], sign: str) -> str:
    text = ""
    is_last_kept = False
    for line in lines:
        if not isinstance(line, str):
            continue
        if line[:1] in (" ", sign):
            text += line[1:] + "\n"
            is_last_kept = True
        elif line.startswith("\\") and is_last_kept:
            text = text.removesuffix("\n")  # "\ No newline at end of file"
        else:
            is_last_kept = False
    return text
