"""Questions to a person, Claude's own (AskUserQuestion) and an MCP server's, as `elicitation/create`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, dicts_in, dicts_with

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["elicitation_answer", "elicitation_params", "question_answer", "question_params"]

_DECLINED: Final = "The user declined to answer."
_CANCELLED: Final = "The question was cancelled."


def question_params(asked: Mapping[str, Any], *, session_id: str) -> dict[str, Any]:
    """AskUserQuestion, which arrives as a permission request for that tool."""
    questions = _questions(asked)
    return {
        "sessionId": session_id,
        "mode": "form",
        "message": "\n".join(question["question"] for question in questions),
        "requestedSchema": {
            "type": "object",
            "properties": {question["id"]: _property(question) for question in questions},
        },
        "_meta": {"questions": questions, "toolCallId": asked.get("tool_use_id")},
    }


def question_answer(
    asked: Mapping[str, Any], result: Mapping[str, Any] | None, *, interrupt: bool
) -> Native:
    """Claude wants the answers by the text of the question, several joined by a comma."""
    action = result.get("action") if result is not None else None
    if action == "decline":
        return {"behavior": "deny", "message": _DECLINED}
    content = result.get("content") if result is not None else None
    if action != "accept" or not isinstance(content, Mapping):
        cancelled: Native = {"behavior": "deny", "message": _CANCELLED}
        return {**cancelled, "interrupt": True} if interrupt else cancelled
    answers = {
        question["question"]: _answer_text(content[question["id"]])
        for question in _questions(asked)
        if content.get(question["id"]) is not None
    }
    tool_input = as_dict(asked.get("input"))
    return {"behavior": "allow", "updatedInput": {**tool_input, "answers": answers}}


def elicitation_params(asked: Mapping[str, Any], *, session_id: str) -> dict[str, Any]:
    """A question of an MCP server that Claude passes on."""
    params: dict[str, Any] = {
        "sessionId": session_id,
        "mode": asked.get("mode") or "form",
        "message": asked.get("message") or "",
        "_meta": {"claudeCode": {"mcpServer": asked.get("mcp_server_name")}},
    }
    names = {"requested_schema": "requestedSchema", "url": "url", "elicitation_id": "elicitationId"}
    for source, name in names.items():
        if asked.get(source) is not None:
            params[name] = asked[source]
    return params


def elicitation_answer(result: Mapping[str, Any] | None) -> Native:
    action = result.get("action") if result is not None else None
    if action not in ("accept", "decline"):
        return {"action": "cancel"}
    content = result.get("content") if result is not None else None
    return {"action": action, "content": content} if action == "accept" else {"action": action}


def _questions(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    asking = dicts_in(as_dict(asked.get("input")).get("questions"))
    return [_question(index, item) for index, item in enumerate(asking, start=1)]


def _question(index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    question: dict[str, Any] = {"id": f"q{index}", "question": str(item.get("question") or "")}
    if isinstance(item.get("header"), str):
        question["header"] = item["header"]
    question["options"] = [
        {key: option[key] for key in ("label", "description") if isinstance(option.get(key), str)}
        for option in dicts_with(item.get("options"), "label")
    ]
    question["multiSelect"] = item.get("multiSelect") is True
    return question


def _property(question: Mapping[str, Any]) -> dict[str, Any]:
    described = {
        "title": question.get("header") or question["question"],
        "description": question["question"],
    }
    choices = [
        {"const": option["label"], "title": option["label"]} for option in question["options"]
    ]
    if question["multiSelect"]:
        return {"type": "array", **described, "items": {"anyOf": choices}}
    # Claude takes any text as an answer; the choices are what it hopes for.
    return {"type": "string", **described, **({"oneOf": choices} if choices else {})}


def _answer_text(answer: Any) -> str:
    if isinstance(answer, list):
        return ", ".join(str(item) for item in answer)
    return answer if isinstance(answer, str) else str(answer)
