"""Qwen's tool calls: it announces one before it knows what is called with what, calls a command by what it is for
beside what it is, and tells its output as text for its model."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact, dicts_in
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_core.tool_calls import name_of

from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.acp.tool_frames import mend_call, text_block, tool_call_in
from sandbox_agent_server.agents.known.implied_calls import ImpliedToolCalls

__all__ = ["QwenCalls"]

_PREPARING: Final = "_qwencode/tool_call.preparing"
_FINAL: Final = ("completed", "failed")
_RESULT: Final = "shell_result"


class QwenCalls(ImpliedToolCalls):
    def __init__(self) -> None:
        super().__init__()
        self._preparing: set[str] = set()
        """Calls that are not told yet."""

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        told = [frame for each in batch for frame in self._told(mend_call(each, _mended))]
        return super().incoming(told)

    def _told(self, each: WireFrame) -> list[WireFrame]:
        call = tool_call_in(each.frame)
        if (call_id := as_text(call.get("toolCallId"))) is None:
            return [each]
        params = as_dict(each.frame.get("params"))
        if as_dict(call.get("_meta")).get("phase") == "preparing":
            self._preparing.add(call_id)
            return [wire(notification(_PREPARING, params))]
        if call_id not in self._preparing:
            return [each]
        self._preparing.discard(call_id)
        if call.get("sessionUpdate") != acp.TOOL_CALL_UPDATE:
            return [each]
        is_over = call.get("status") in _FINAL
        begun = {**call, "sessionUpdate": acp.TOOL_CALL}
        if is_over:
            for name in ("content", "rawOutput"):
                begun.pop(name, None)
            begun["status"] = "pending"
        first = wire(notification(acp.SESSION_UPDATE, {**params, "update": begun}))
        return [first, each] if is_over else [first]


def _mended(call: dict[str, Any]) -> dict[str, Any]:
    command = as_text(as_dict(call.get("rawInput")).get("command"))
    told = dict(call)
    if call.get("kind") == "execute" and command is not None:
        told["title"] = command
    if isinstance(call.get("content"), list):
        is_new = name_of(call) == "write_file"
        told["content"] = [
            _whole(item, is_new=is_new) if is_diff(item) else item
            for item in dicts_in(call["content"])
        ]
    output = as_dict(call.get("rawOutput"))
    return told | (_came_of(output) if output.get("type") == _RESULT else {})


def _whole(diff: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    meta = as_dict(diff.get("_meta")) | {"sandbox_agent": {"isWholeFile": True}}
    told = {**diff, "_meta": meta}
    if is_new and diff.get("oldText") == "":
        del told["oldText"]
    return told


def _came_of(output: dict[str, Any]) -> dict[str, Any]:
    """`rawOutput` and `content` of a command."""
    text = as_str(output.get("output")) or ""
    shown = text or as_text(output.get("error")) or ""
    return {
        "rawOutput": compact(
            stdout=text,
            exitCode=as_int(output.get("exitCode")),
            signal=output.get("signal"),
            error=output.get("error"),
        ),
        "content": [text_block(shown)] if shown.strip() else [],
    }
