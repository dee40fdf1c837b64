"""Tool calls in the words that other agents use: each update mended, and a permission given what was told of its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_list
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["MAX_OPEN_CALLS", "RetoldCalls", "text_block"]

MAX_OPEN_CALLS: Final = 512
"""Of a session that are remembered; the oldest is forgotten for one more."""

_TOOL_UPDATES: Final = (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)
_OVER: Final = ("completed", "failed")
_SHOWN: Final = ("title", "name", "kind", "rawInput", "locations")
"""What a person, and a rule, wants to know of a call that asks for permission."""

Call = dict[str, Any]


class RetoldCalls(AsItIs):
    """A `Normaliser`. An agent's own says how in `retell`."""

    def __init__(self) -> None:
        self._told: dict[str, Call] = {}

    def retell(self, update: Call, told: Mapping[str, Any]) -> Call:
        """The update in other words; `told` are the fields that the call has had so far."""
        return update

    def retell_asked(self, call: Call, told: Mapping[str, Any]) -> Call:
        """The call of a permission, which has been filled with what was told of it."""
        return call

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [self._mended(each) for each in batch]

    def call_at(self, path: str) -> Call | None:
        """The fields of an open call that is about the file, and its id."""
        for call_id, told in reversed(self._told.items()):
            if {"path": path} in as_list(told.get("locations")):
                shown: Call = {name: told[name] for name in _SHOWN if name in told}
                return {"toolCallId": call_id, **shown, "content": told.get("changes", [])}
        return None

    def _mended(self, each: WireFrame) -> WireFrame:
        method = each.frame.get("method")
        if method == acp.SESSION_UPDATE:
            return self._update(each)
        return self._permission(each) if method == acp.SESSION_REQUEST_PERMISSION else each

    def _update(self, each: WireFrame) -> WireFrame:
        update = as_dict(as_dict(each.frame.get("params")).get("update"))
        call_id = update.get("toolCallId")
        if update.get("sessionUpdate") not in _TOOL_UPDATES or not isinstance(call_id, str):
            return each
        told = self._told.get(call_id, {})
        retold = self.retell(update, told)
        if retold.get("status") in _OVER:
            self._told.pop(call_id, None)
        else:
            self._remember(call_id, told, retold)
        return each if retold == update else _with(each, "update", retold)

    def _permission(self, each: WireFrame) -> WireFrame:
        call = as_dict(as_dict(each.frame.get("params")).get("toolCall"))
        call_id = call.get("toolCallId")
        if not isinstance(call_id, str):
            return each
        told = self._told.get(call_id, {})
        filled = dict(call)
        for name in _SHOWN:
            if filled.get(name) is None and name in told:
                filled[name] = told[name]
        said = as_list(filled.get("content"))
        changes = [] if any(map(is_diff, said)) else told.get("changes", [])
        if changes:
            filled["content"] = [*changes, *said]
        retold = self.retell_asked(filled, told)
        return each if retold == call else _with(each, "toolCall", retold)

    def _remember(self, call_id: str, told: Call, update: Call) -> None:
        if call_id not in self._told and len(self._told) >= MAX_OPEN_CALLS:
            del self._told[next(iter(self._told))]
        fields = {name: update[name] for name in _SHOWN if update.get(name) is not None}
        changes = [each for each in as_list(update.get("content")) if is_diff(each)]
        self._told[call_id] = told | fields | ({"changes": changes} if changes else {})


def text_block(text: str) -> Call:
    """As the content of a tool call."""
    return {"type": "content", "content": {"type": "text", "text": text}}


def _with(each: WireFrame, member: str, call: Call) -> WireFrame:
    frame: Frame = {**each.frame, "params": {**each.frame["params"], member: call}}
    return wire(frame)
