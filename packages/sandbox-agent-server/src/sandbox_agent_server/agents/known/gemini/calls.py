"""Gemini's tool calls: it tells the command only as their title, their name only in their id, and what came of a
command only in the text for its model, which it shows when it is asked to explain itself (`--debug`)."""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_text, compact, dicts_in
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.tool_frames import mend_call, text_block
from sandbox_agent_server.agents.known.implied_calls import ImpliedToolCalls

__all__ = ["GeminiToolCalls"]

_RESULT: Final = re.compile(
    r"Output: (?P<stdout>.*?)(?:\nError: (?P<error>[^\n]*))?(?:\nExit Code: (?P<code>-?\d+))?"
    r"(?:\nSignal: (?P<signal>\S+))?(?:\nBackground PIDs: [\d, ]+)?(?:\nProcess Group PGID: \d+)?",
    re.DOTALL,
)
_NOTHING: Final = "(empty)"


class GeminiToolCalls(ImpliedToolCalls):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return super().incoming([mend_call(each, _told_in_full) for each in batch])


def _told_in_full(call: dict[str, Any]) -> dict[str, Any]:
    content = call.get("content")
    if isinstance(content, list):
        call = {**call, "content": [_whole(item) if is_diff(item) else item for item in content]}
    implied = _implied(call)
    missing = {key: value for key, value in implied.items() if call.get(key) is None}
    told = {**call, **missing} if missing else call
    if call.get("kind") == "execute" and call.get("sessionUpdate") == acp.TOOL_CALL_UPDATE:
        return {**told, **_came_of(told)}
    return told


def _implied(call: dict[str, Any]) -> dict[str, Any]:
    """Of `run_shell_command__call_7` the name; of a command's title, which it never shortens, the arguments."""
    name, title = (
        (as_text(call.get("toolCallId")) or "").rpartition("__")[0],
        as_text(call.get("title")),
    )
    given: dict[str, Any] | None = None
    if call.get("kind") == "execute" and title is not None:
        given = {"command": title}
    elif call.get("kind") in ("edit", "read"):
        paths = [path for item in dicts_in(call.get("locations")) if (path := item.get("path"))]
        new = next(
            (item["newText"] for item in dicts_in(call.get("content")) if is_diff(item)), None
        )
        # Of a replacement it tells the whole file before and after, which is not what was given.
        given = compact(
            file_path=paths[0] if paths else None, content=new if name == "write_file" else None
        )
    return compact(name=name or None, rawInput=given or None)


def _whole(diff: dict[str, Any]) -> dict[str, Any]:
    meta = as_dict(diff.get("_meta"))
    told = {**diff, "_meta": meta | {"sandbox_agent": {"isWholeFile": True}}}
    if meta.get("kind") == "add":
        told.pop("oldText", None)
    return told


def _came_of(call: dict[str, Any]) -> dict[str, Any]:
    """`rawOutput`, `content` and `status` of a command that has ended."""
    blocks = [as_dict(item.get("content")) for item in dicts_in(call.get("content"))]
    text = as_text(blocks[0].get("text")) if len(blocks) == 1 else None
    result = _RESULT.fullmatch(text) if text is not None else None
    if result is None or call.get("status") != "completed":
        return {}
    stdout = "" if result["stdout"] == _NOTHING else result["stdout"]
    is_through = result["error"] is None and result["signal"] is None
    code = int(result["code"]) if result["code"] is not None else 0 if is_through else None
    shown = "\n".join(filter(None, (stdout, result["error"])))
    return {
        "status": "completed" if code == 0 else "failed",
        "rawOutput": compact(
            stdout=stdout, exitCode=code, error=result["error"], signal=result["signal"]
        ),
        "content": [text_block(shown)] if shown else [],
    }
