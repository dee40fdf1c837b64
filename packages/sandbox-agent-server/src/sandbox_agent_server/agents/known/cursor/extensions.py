"""Cursor's requests beside ACP in the words that everybody here understands, and the answers back.

It waits for an answer to each of them. A question becomes a question, a plan to approve a permission,
a todo list a plan; what only tells something is acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.questions import question_params

__all__ = ["CursorExtensions"]

_PREFIX: Final = "cursor/"
_ASK: Final = "cursor/ask_question"
_PLAN: Final = "cursor/create_plan"
_TODOS: Final = "cursor/update_todos"

_ACCEPT: Final = "accept"
_OPTIONS: Final = (
    {"optionId": _ACCEPT, "kind": "allow_once", "name": "Approve the plan"},
    {"optionId": "reject", "kind": "reject_once", "name": "Reject the plan"},
)
_STATUSES: Final = {
    "in_progress": "in_progress",
    "completed": "completed",
    "cancelled": "completed",
}


class CursorExtensions(AsItIs):
    def __init__(self) -> None:
        self._session_id: str | None = None
        self._asked: dict[RequestId, Frame] = {}
        self._todos: dict[str, dict[str, Any]] = {}

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        frames: list[WireFrame] = []
        for each in batch:
            method = each.frame.get("method")
            if isinstance(method, str) and method.startswith(_PREFIX):
                frames += self._extension(method, each)
            else:
                frames.append(each)
        return frames

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        # Cursor's own requests do not say of which session they are.
        session = _dict(frame.get("params")).get("sessionId")
        if isinstance(session, str):
            self._session_id = session
        return ()

    def to_agent(self, frame: Frame) -> Frame:
        id_ = frame.get("id")
        asked = self._asked.pop(id_, None) if "method" not in frame and id_ is not None else None
        if asked is None or id_ is None:
            return frame
        result = _dict(frame.get("result"))
        match asked["method"]:
            case "cursor/ask_question":
                return response(id_, {"outcome": _answers(_dict(asked.get("params")), result)})
            case "cursor/create_plan":
                return response(id_, {"outcome": _verdict(_dict(result.get("outcome")))})
        return response(id_, {})

    def _extension(self, method: str, each: WireFrame) -> list[WireFrame]:
        params, id_ = _dict(each.frame.get("params")), each.frame.get("id")
        told = self._plan(params) if method in (_TODOS, _PLAN) else []
        if id_ is None:
            return [each, *told]
        self._asked[id_] = each.frame
        if method == _ASK:
            question = _question(params, self._session_id)
            return [wire(request(id_, acp.ELICITATION_CREATE, question))]
        if method == _PLAN:
            approval = _approval_params(params, self._session_id)
            return [*told, wire(request(id_, acp.SESSION_REQUEST_PERMISSION, approval))]
        return [each, *told]

    def _plan(self, params: Mapping[str, Any]) -> list[WireFrame]:
        if params.get("merge") is not True:
            self._todos.clear()
        for todo in _dicts(params.get("todos")):
            if isinstance(todo.get("content"), str):
                self._todos[str(todo.get("id"))] = todo
        if not self._todos:
            return []
        entries = [
            {
                "content": todo["content"],
                "status": _STATUSES.get(str(todo.get("status")), "pending"),
                "priority": "medium",
            }
            for todo in self._todos.values()
        ]
        update = {"sessionUpdate": acp.PLAN, "entries": entries}
        params = {"sessionId": self._session_id, "update": update}
        return [wire(notification(acp.SESSION_UPDATE, params))]


def _question(params: Mapping[str, Any], session_id: str | None) -> dict[str, Any]:
    questions = [
        {
            "id": str(item.get("id")),
            "question": str(item.get("prompt") or ""),
            "options": [{"label": label} for label in _labels(item).values()],
            "multiSelect": item.get("allowMultiple") is True,
        }
        for item in _dicts(params.get("questions"))
    ]
    return question_params(
        questions,
        session_id=session_id,
        call_id=params.get("toolCallId"),
        title=str(params.get("title") or ""),
    )


def _answers(params: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    content = result.get("content")
    if result.get("action") == "decline":
        return {"outcome": "skipped", "reason": "The user declined to answer."}
    if result.get("action") != "accept" or not isinstance(content, dict):
        return {"outcome": "cancelled"}
    answers = []
    for item in _dicts(params.get("questions")):
        given = content.get(str(item.get("id")))
        chosen = given if isinstance(given, list) else [given]
        # People answer with what they read; Cursor wants the ids.
        ids = [key for key, label in _labels(item).items() if label in chosen or key in chosen]
        answers.append({"questionId": item.get("id"), "selectedOptionIds": ids})
    return {"outcome": "answered", "answers": answers}


def _labels(question: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(option.get("id")): str(option.get("label"))
        for option in _dicts(question.get("options"))
    }


def _approval_params(params: Mapping[str, Any], session_id: str | None) -> dict[str, Any]:
    plan = str(params.get("plan") or params.get("overview") or "")
    return {
        "sessionId": session_id,
        "toolCall": {
            "toolCallId": params.get("toolCallId"),
            "title": str(params.get("name") or "Plan"),
            "kind": "switch_mode",
            "status": "pending",
            "content": [{"type": "content", "content": {"type": "text", "text": plan}}],
        },
        "options": list(_OPTIONS),
    }


def _verdict(outcome: Mapping[str, Any]) -> dict[str, Any]:
    if outcome.get("outcome") != "selected":
        return {"outcome": "cancelled"}
    if outcome.get("optionId") == _ACCEPT:
        return {"outcome": "accepted"}
    return {"outcome": "rejected", "reason": "The user rejected the plan."}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
