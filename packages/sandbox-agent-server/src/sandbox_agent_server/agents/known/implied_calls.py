"""Tool calls that Gemini and Qwen mention nowhere but in the permission that they ask for.

An allowed one is next heard of when it has completed; a rejected one never again. Others announce a
call, ask, and say that it failed: after this so do they.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import RequestId, notification
from sandbox_agent_core.lenient import dicts_in
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["ImpliedToolCalls"]

_ALLOWING: Final = ("allow_once", "allow_always")


class ImpliedToolCalls(AsItIs):
    def __init__(self) -> None:
        self._announced: set[str] = set()
        self._asked: dict[RequestId, Frame] = {}

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        frames: list[WireFrame] = []
        for each in batch:
            method = each.frame.get("method")
            if method == acp.SESSION_UPDATE:
                self._note(each.frame)
            elif method == acp.SESSION_REQUEST_PERMISSION:
                frames += self._announce(each.frame)
            frames.append(each)
        return frames

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        id_ = frame.get("id")
        asked = self._asked.pop(id_, None) if "method" not in frame and id_ is not None else None
        if asked is None or _is_allowed(asked, frame.get("result")):
            return ()
        call_id = asked["params"]["toolCall"]["toolCallId"]
        update = {
            "sessionUpdate": acp.TOOL_CALL_UPDATE,
            "toolCallId": call_id,
            "status": "failed",
        }
        return [_update(asked, update)]

    def _note(self, frame: Frame) -> None:
        try:
            update = frame["params"]["update"]
            kind, call_id = update["sessionUpdate"], update["toolCallId"]
        except (KeyError, TypeError):
            return
        if kind == acp.TOOL_CALL and isinstance(call_id, str):
            self._announced.add(call_id)

    def _announce(self, asked: Frame) -> list[WireFrame]:
        try:
            call = asked["params"]["toolCall"]
            call_id = call["toolCallId"]
        except (KeyError, TypeError):
            return []
        if not isinstance(call, dict) or not isinstance(call_id, str) or asked.get("id") is None:
            return []
        self._asked[asked["id"]] = asked
        if call_id in self._announced:
            return []
        self._announced.add(call_id)
        told = {**call, "sessionUpdate": acp.TOOL_CALL, "status": "pending"}
        if "content" in call:
            # What it says beside the change is for who is asked.
            told["content"] = [each for each in dicts_in(call["content"]) if is_diff(each)]
        return [_update(asked, told)]


def _update(asked: Frame, update: dict[str, Any]) -> WireFrame:
    params = {"sessionId": asked["params"].get("sessionId"), "update": update}
    return wire(notification(acp.SESSION_UPDATE, params))


def _is_allowed(asked: Frame, result: Any) -> bool:
    outcome = result.get("outcome") if isinstance(result, dict) else None
    chosen = outcome.get("optionId") if isinstance(outcome, dict) else None
    options = asked["params"].get("options")
    return any(
        isinstance(option, dict)
        and option.get("optionId") == chosen
        and option.get("kind") in _ALLOWING
        for option in (options if isinstance(options, list) else ())
    )
