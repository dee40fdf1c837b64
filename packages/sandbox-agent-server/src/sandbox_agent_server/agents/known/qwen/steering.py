"""What is said into a running turn of Qwen's: it asks for that itself, after its tools (since 0.24)."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp, operations
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_REQUEST,
    error_response,
    notification,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_list, dicts_with
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["QwenSteering"]

_ASKS: Final = "craft/drainMidTurnQueue"


class QwenSteering(AsItIs):
    def __init__(self) -> None:
        self._prompt: RequestId | None = None
        self._waiting: dict[RequestId, list[Any]] = {}

    def outgoing(self, frame: Frame) -> tuple[()]:
        if frame.get("method") == acp.SESSION_PROMPT:
            self._prompt = frame.get("id")
        return ()

    def to_agent(self, frame: Frame) -> Frame | None:
        id = frame.get("id")
        if frame.get("method") != operations.SESSION_STEER or id is None:
            return frame
        if self._prompt is None:
            self._tell(_refused(id, "no turn runs"))
        else:
            self._waiting[id] = as_list(as_dict(frame.get("params")).get("prompt"))
        return None

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [frame for each in batch for frame in self._read(each)]

    def _read(self, each: WireFrame) -> list[WireFrame]:
        frame, id = each.frame, each.frame.get("id")
        if frame.get("method") == _ASKS and id is not None:
            # Who once does not know the request is never asked again.
            self._send(
                response(id, {"items": self._items(), "messages": [], "hasQueuedPrompt": False})
            )
            taken = [wire(response(steered, {})) for steered in self._waiting]
            self._waiting.clear()
            return [wire(notification(_ASKS, as_dict(frame.get("params")))), *taken]
        if "method" not in frame and self._prompt is not None and id == self._prompt:
            self._prompt = None
            late = [
                _refused(steered, "the turn has ended without asking") for steered in self._waiting
            ]
            self._waiting.clear()
            return [*map(wire, late), each]
        return [each]

    def _items(self) -> list[dict[str, Any]]:
        return [
            {
                "content": blocks,
                "displayText": "\n".join(b["text"] for b in dicts_with(blocks, "text")),
            }
            for blocks in self._waiting.values()
            if blocks
        ]


def _refused(id: RequestId, why: str) -> Frame:
    return error_response(id, INVALID_REQUEST, f"it was not taken into a turn: {why}")
