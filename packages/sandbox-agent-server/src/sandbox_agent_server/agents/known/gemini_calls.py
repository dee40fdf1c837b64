"""Gemini's tool calls: it tells the command only as their title, and their name only in their id."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_text, compact
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.implied_calls import ImpliedToolCalls

__all__ = ["GeminiToolCalls"]

_TOOL_UPDATES = (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)


class GeminiToolCalls(ImpliedToolCalls):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return super().incoming([_told_in_full(each) for each in batch])


def _told_in_full(each: WireFrame) -> WireFrame:
    method = each.frame.get("method")
    if method == acp.SESSION_REQUEST_PERMISSION:
        return _mended(each, "toolCall")
    if method == acp.SESSION_UPDATE:
        params = as_dict(each.frame.get("params"))
        if as_dict(params.get("update")).get("sessionUpdate") in _TOOL_UPDATES:
            return _mended(each, "update")
    return each


def _mended(each: WireFrame, member: str) -> WireFrame:
    params = as_dict(each.frame.get("params"))
    call = as_dict(params.get(member))
    missing = {key: value for key, value in _implied(call).items() if call.get(key) is None}
    if not missing:
        return each
    frame: Frame = {**each.frame, "params": {**params, member: {**call, **missing}}}
    return wire(frame)


def _implied(call: dict[str, Any]) -> dict[str, Any]:
    """Of `run_shell_command__call_7` the name; of a command's title, which it never shortens, the arguments."""
    name, title = (
        (as_text(call.get("toolCallId")) or "").rpartition("__")[0],
        as_text(call.get("title")),
    )
    is_command = call.get("kind") == "execute" and title is not None
    return compact(name=name or None, rawInput={"command": title} if is_command else None)
