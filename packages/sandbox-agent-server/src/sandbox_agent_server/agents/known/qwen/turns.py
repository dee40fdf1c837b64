"""Turns that Qwen begins by itself, when a background task of its own has ended or it follows a goal.

Since 0.24 it says so by extensions of its own. A client that refuses its request to begin, as one that it does
not know, does not keep it from beginning.
"""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict, as_text, compact
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["QWEN_TURN_ENDED", "QWEN_TURN_STARTED", "QwenTurns"]

QWEN_TURN_STARTED: Final = "_qwencode/start_turn"
QWEN_TURN_ENDED: Final = "_qwencode/end_turn"
_STOP_REASONS: Final = {"completed": "end_turn"}


class QwenTurns(AsItIs):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        frames: list[WireFrame] = []
        for each in batch:
            frames.append(each)
            if (said := _announcement(each.frame)) is not None:
                frames.append(wire(said))
        return frames


def _announcement(frame: Frame) -> Frame | None:
    params = as_dict(frame.get("params"))
    told: dict[str, Any] = compact(sessionId=params.get("sessionId"))
    if frame.get("method") == QWEN_TURN_STARTED:
        task_id = as_text(params.get("taskId"))
        return notification(extensions.TURN_STARTED, told | compact(taskId=task_id))
    if frame.get("method") == QWEN_TURN_ENDED:
        reason = as_text(params.get("reason"))
        reason = _STOP_REASONS.get(reason or "", reason)
        return notification(
            extensions.TURN_ENDED, told | compact(stopReason=reason, usage=params.get("usage"))
        )
    return None
