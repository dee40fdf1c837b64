"""Copilot's turns: their usage is that of the session so far, and a failure is a text of a turn that ended well."""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, RequestId, error_response
from sandbox_agent_core.lenient import as_dict, as_int, as_str
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["CopilotTurns"]

_FAILED: Final = re.compile(r"(?:Error|Failed to run /[\w-]+): (?:Error: )?(.+)", re.DOTALL)
_STATUS: Final = re.compile(r"(?:\(HTTP |\AError: |error: )([45]\d\d)\b")


class CopilotTurns(AsItIs):
    def __init__(self) -> None:
        self._prompt: RequestId | None = None
        self._so_far: dict[str, int] = {}
        """Tokens of the session."""
        self._said: list[str] = []
        """By the last model call of the turn."""

    def outgoing(self, frame: Frame) -> tuple[()]:
        if frame.get("method") == acp.SESSION_PROMPT:
            self._prompt = frame.get("id")
            self._said.clear()
        return ()

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [self._read(each) for each in batch]

    def _read(self, each: WireFrame) -> WireFrame:
        frame = each.frame
        if frame.get("method") == acp.SESSION_UPDATE:
            self._note(as_dict(as_dict(frame.get("params")).get("update")))
        elif "method" not in frame and self._prompt is not None and frame.get("id") == self._prompt:
            self._prompt = None
            return self._answer(each)
        return each

    def _note(self, update: dict[str, Any]) -> None:
        if update.get("sessionUpdate") == acp.AGENT_MESSAGE_CHUNK:
            self._said.append(as_str(as_dict(update.get("content")).get("text")) or "")
        elif update.get("sessionUpdate") != acp.SESSION_INFO_UPDATE:
            # Each call of the model begins with the use of the context.
            self._said.clear()

    def _answer(self, each: WireFrame) -> WireFrame:
        result = as_dict(each.frame.get("result"))
        usage = as_dict(result.get("usage"))
        counts = {name: count for name in usage if (count := as_int(usage[name])) is not None}
        used = {name: count - self._so_far.get(name, 0) for name, count in counts.items()}
        if any(count < 0 for count in used.values()):
            used = counts  # it counts anew
        self._so_far.update(counts)
        if result.get("stopReason") == "end_turn" and (failure := self._failure(used)) is not None:
            return wire(error_response(each.frame["id"], INTERNAL_ERROR, *failure))
        if not used:
            return each
        return wire({**each.frame, "result": {**result, "usage": {**usage, **used}}})

    def _failure(self, used: dict[str, int]) -> tuple[str, dict[str, Any]] | None:
        """The message, and what is known beside it."""
        text = self._said[0] if len(self._said) == 1 else ""
        if (failed := _FAILED.fullmatch(text)) is None:
            return None
        status = _STATUS.search(text)
        if status is None and used.get("outputTokens"):
            return None  # a model may say "Error: …", too
        data = {"usage": used} if any(used.values()) else {}
        return failed[1], data | ({"status": int(status[1])} if status is not None else {})
