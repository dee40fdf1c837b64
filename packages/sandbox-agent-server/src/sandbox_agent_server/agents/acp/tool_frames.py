"""The tool call in a frame: told, updated, or asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["mend_call", "text_block", "tool_call_in"]

_TOOL_UPDATES: Final = (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)


def mend_call(each: WireFrame, mend: Callable[[dict[str, Any]], dict[str, Any]]) -> WireFrame:
    """The frame with what `mend` makes of its tool call; itself when it has none, or nothing was to mend."""
    if (member := _member(each.frame)) is None:
        return each
    params = as_dict(each.frame.get("params"))
    call = as_dict(params.get(member))
    mended = mend(call)
    if mended == call:
        return each
    frame: Frame = {**each.frame, "params": {**params, member: mended}}
    return wire(frame)


def tool_call_in(frame: Frame) -> dict[str, Any]:
    """As `tool_call`, `tool_call_update` or `toolCall` of a permission; empty when it has none."""
    member = _member(frame)
    return as_dict(as_dict(frame.get("params")).get(member)) if member is not None else {}


def text_block(text: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}}


def _member(frame: Frame) -> str | None:
    method = frame.get("method")
    if method == acp.SESSION_REQUEST_PERMISSION:
        return "toolCall"
    if method != acp.SESSION_UPDATE:
        return None
    update = as_dict(as_dict(frame.get("params")).get("update"))
    return "update" if update.get("sessionUpdate") in _TOOL_UPDATES else None
