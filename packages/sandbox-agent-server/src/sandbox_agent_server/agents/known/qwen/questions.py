"""Qwen's questions to a person, which arrive as a permission to submit the answers (since 0.24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_core.lenient import (
    as_dict,
    as_list,
    as_str,
    as_text,
    compact,
    dicts_in,
    dicts_with,
)
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.questions import question_params

__all__ = ["QwenQuestions"]

_KIND: Final = "user_question"


class QwenQuestions(AsItIs):
    def __init__(self) -> None:
        self._asked: dict[RequestId, Frame] = {}

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [frame for each in batch for frame in self._read(each)]

    def to_agent(self, frame: Frame) -> Frame:
        id = frame.get("id")
        asked = self._asked.pop(id, None) if "method" not in frame and id is not None else None
        if asked is None or id is None:
            return frame
        result = as_dict(frame.get("result"))
        params = as_dict(asked.get("params"))
        kind = "allow_once" if result.get("action") == "accept" else "reject_once"
        chosen = next(
            (item for item in dicts_in(params.get("options")) if item.get("kind") == kind), None
        )
        if chosen is None or result.get("action") not in ("accept", "decline"):
            return response(id, {"outcome": {"outcome": "cancelled"}})
        outcome = {"outcome": "selected", "optionId": chosen.get("optionId")}
        return response(
            id, {"outcome": outcome, "answers": _answers(as_dict(result.get("content")))}
        )

    def _read(self, each: WireFrame) -> list[WireFrame]:
        frame, id = each.frame, each.frame.get("id")
        if frame.get("method") != acp.SESSION_REQUEST_PERMISSION or id is None:
            return [each]
        params = as_dict(frame.get("params"))
        call = as_dict(params.get("toolCall"))
        if as_dict(call.get("_meta")).get("qwenInteractionKind") != _KIND:
            return [each]
        self._asked[id] = frame
        session_id = as_text(params.get("sessionId"))
        told = {**call, "sessionUpdate": acp.TOOL_CALL, "status": "pending"}
        asked = question_params(
            _questions(call), session_id=session_id, call_id=call.get("toolCallId")
        )
        return [
            wire(notification(acp.SESSION_UPDATE, {"sessionId": session_id, "update": told})),
            wire(request(id, acp.ELICITATION_CREATE, asked)),
        ]


def _questions(call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Qwen knows them by their place."""
    told = as_list(as_dict(call.get("_meta")).get("qwenQuestions")) or as_list(
        as_dict(call.get("rawInput")).get("questions")
    )
    return [
        {
            "id": str(place),
            "question": as_str(item.get("question")) or "",
            **compact(header=as_text(item.get("header"))),
            "options": [
                {
                    "label": option["label"],
                    **compact(description=as_text(option.get("description"))),
                }
                for option in dicts_with(item.get("options"), "label")
            ],
            "multiSelect": item.get("multiSelect") is True,
        }
        for place, item in enumerate(dicts_in(told))
    ]


def _answers(content: Mapping[str, Any]) -> dict[str, str]:
    return {
        place: ", ".join(map(str, given)) if isinstance(given, list) else str(given)
        for place, given in content.items()
        if given is not None
    }
