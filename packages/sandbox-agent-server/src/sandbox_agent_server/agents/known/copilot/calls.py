"""Copilot's tool calls: a command is called by what it is for, and ends well whatever it exits with; the permission
for a change shows it as a patch only."""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact, dicts_in
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.tool_frames import mend_call, text_block
from sandbox_agent_server.agents.native.hunks import Hunk, hunks_of, piece

__all__ = ["CopilotCalls", "hunk_with"]

_EXITED: Final = re.compile(r"\n?<shellId: \S+ completed with exit code -?\d+>\s*\Z")


class CopilotCalls(AsItIs):
    def __init__(self) -> None:
        self._told: dict[str, dict[str, Any]] = {}
        """The calls of this turn as they were told first."""

    def outgoing(self, frame: Frame) -> tuple[()]:
        if frame.get("method") == acp.SESSION_PROMPT:
            self._told.clear()
        return ()

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [mend_call(each, self._mended) for each in batch]

    def _mended(self, call: dict[str, Any]) -> dict[str, Any]:
        if (call_id := as_text(call.get("toolCallId"))) is None:
            return call
        told = self._told.get(call_id)
        if call.get("sessionUpdate") == acp.TOOL_CALL or told is None:
            told = self._told[call_id] = {**call, **_implied(call)}
            return _with_lines(told, told)
        if "sessionUpdate" in call:
            return _with_lines(_with_output(call), told)
        return _asked(call, told)


def _implied(call: dict[str, Any]) -> dict[str, Any]:
    """Its name, which Copilot keeps to itself, where the arguments are those of one tool only."""
    given = as_dict(call.get("rawInput"))
    command = as_text(given.get("command"))
    if call.get("kind") == "execute" and command is not None:
        return {"title": command, "name": "bash"}
    names = {"file_text": "create", "old_str": "edit"}
    name = next((names[member] for member in names if member in given), None)
    return compact(name=name or ("view" if call.get("kind") == "read" else None))


def _asked(call: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """With the title, the arguments and the change that the call was told with."""
    asked = {**call, **compact(title=told.get("title"), name=told.get("name"))}
    if call.get("kind") != "edit" or not told.get("content"):
        return asked
    patch = as_str(as_dict(call.get("rawInput")).get("diff")) or ""
    shown = _with_lines({**asked, "content": told["content"]}, told, patch=patch)
    return {**shown, **compact(rawInput=told.get("rawInput"))}


def _with_output(call: dict[str, Any]) -> dict[str, Any]:
    output = as_dict(call.get("rawOutput"))
    exited = [item for item in dicts_in(output.get("contents")) if item.get("type") == "shell_exit"]
    code = as_int(exited[-1].get("exitCode")) if exited else None
    if code is None:
        return call
    text = _EXITED.sub("", as_str(output.get("content")) or "")
    return {
        **call,
        "status": "completed" if code == 0 else "failed",
        "rawOutput": {"stdout": text, "exitCode": code},
        "content": [text_block(text)] if text.strip() else [],
    }


def _with_lines(call: dict[str, Any], told: dict[str, Any], *, patch: str = "") -> dict[str, Any]:
    if not isinstance(call.get("content"), list):
        return call
    patch = patch or as_str(as_dict(call.get("rawOutput")).get("detailedContent")) or ""
    content = [
        _placed(item, patch, is_new=told.get("name") == "create") if is_diff(item) else item
        for item in dicts_in(call["content"])
    ]
    return {**call, "content": content}


def _placed(diff: dict[str, Any], patch: str, *, is_new: bool) -> dict[str, Any]:
    if is_new:
        return {name: value for name, value in diff.items() if name != "oldText"}
    hunk = hunk_with(patch, as_str(diff.get("oldText")) or "")
    if hunk is None:
        place = as_dict(diff.get("_meta")) | {"sandbox_agent": {"isWholeFile": False}}
        return {**diff, "_meta": place}
    return diff | piece(diff["path"], "".join(hunk.old), "".join(hunk.new), hunk)


def hunk_with(patch: str, old: str) -> Hunk | None:
    """Whole lines of the file, where Copilot tells what it replaces in them: the one hunk that has it."""
    found = [hunk for hunk in hunks_of(patch) if old and old in "".join(hunk.old)]
    return found[0] if len(found) == 1 and "".join(found[0].old).count(old) == 1 else None
