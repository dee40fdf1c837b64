"""Kimi writes files of a Git repository without asking. Told that the client writes for it, it has to say each one:
that request is put to whoever decides first, and then to the server, which writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import RequestId, error_response
from sandbox_agent_core.lenient import as_dict, as_str, as_text, dicts_in
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.kimi.calls import KimiToolCalls

__all__ = ["KimiWrites"]

_REFUSED: Final = -32000
_ALLOWING: Final = ("allow_once", "allow_always")
_OPTIONS: Final = (
    {"optionId": "allow_once", "name": "Allow", "kind": "allow_once"},
    {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"},
)


class KimiWrites(KimiToolCalls):
    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[RequestId, Frame] = {}
        """Permissions of Kimi's own."""
        self._held: dict[RequestId, WireFrame] = {}
        """Writes that somebody decides about."""
        self._allowed: Counter[str] = Counter()
        """Files that Kimi has asked for itself."""

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [self._asking(each) for each in super().incoming(batch)]

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        id = frame.get("id")
        if id is None or "method" in frame:
            return ()
        if (asked := self._asked.pop(id, None)) is not None and _is_allowed(asked, frame):
            self._allowed.update(_paths(asked))
        held = self._held.get(id)
        return [held] if held is not None and _is_allowed(_permission(held, None), frame) else ()

    def to_agent(self, frame: Frame) -> Frame | None:
        if frame.get("method") == acp.INITIALIZE:
            return _writing_for_it(frame)
        id = frame.get("id")
        held = self._held.pop(id, None) if id is not None and "method" not in frame else None
        if held is None:
            return frame
        if _is_allowed(_permission(held, None), frame):
            return None  # the server's answer to the write comes in its place
        return error_response(id, _REFUSED, "The user does not allow this file to be written.")

    def _asking(self, each: WireFrame) -> WireFrame:
        frame, id = each.frame, each.frame.get("id")
        if id is None:
            return each
        if frame.get("method") == acp.SESSION_REQUEST_PERMISSION:
            self._asked[id] = frame
        if frame.get("method") != acp.FS_WRITE_TEXT_FILE:
            return each
        path = as_text(as_dict(frame.get("params")).get("path")) or ""
        if self._allowed[path] > 0:
            self._allowed[path] -= 1
            return each
        self._held[id] = each
        return wire(_permission(each, self.call_at(path)))


def _permission(write: WireFrame, call: dict[str, Any] | None) -> Frame:
    params = as_dict(write.frame.get("params"))
    path, text = as_str(params.get("path")) or "", as_str(params.get("content")) or ""
    told = call or {"toolCallId": f"write-{write.frame.get('id')}", "title": f"Writing {path}"}
    change = {"type": "diff", "path": path, "newText": text}
    asked = {"kind": "edit", "locations": [{"path": path}], **told}
    asked["content"] = told.get("content") or [change]
    return {
        "jsonrpc": "2.0",
        "id": write.frame.get("id"),
        "method": acp.SESSION_REQUEST_PERMISSION,
        "params": {
            "sessionId": params.get("sessionId"),
            "toolCall": asked,
            "options": list(_OPTIONS),
        },
    }


def _paths(asked: Frame) -> list[str]:
    call = as_dict(as_dict(asked.get("params")).get("toolCall"))
    places = dicts_in(call.get("locations"))
    return [path for place in places if (path := as_text(place.get("path"))) is not None]


def _is_allowed(asked: Frame, answer: Frame) -> bool:
    outcome = as_dict(as_dict(answer.get("result")).get("outcome"))
    options = dicts_in(as_dict(asked.get("params")).get("options"))
    return any(
        option.get("optionId") == outcome.get("optionId") and option.get("kind") in _ALLOWING
        for option in options
    )


def _writing_for_it(frame: Frame) -> Frame:
    params = as_dict(frame.get("params"))
    can = as_dict(params.get("clientCapabilities"))
    fs = {**as_dict(can.get("fs")), "writeTextFile": True}
    return {**frame, "params": {**params, "clientCapabilities": {**can, "fs": fs}}}
