"""Questions to a person, Codex's own and an MCP server's, as `elicitation/create`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text, dicts_in, dicts_with

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["elicitation_answer", "elicitation_params", "question_answer", "question_params"]


def question_params(asked: Native) -> dict[str, Any]:
    """`item/tool/requestUserInput`: questions of the model."""
    questions = [_question(item) for item in dicts_in(asked.get("questions"))]
    return {
        "mode": "form",
        "message": "\n".join(question["question"] for question in questions),
        "requestedSchema": {
            "type": "object",
            "properties": {question["id"]: _property(question) for question in questions},
        },
        "_meta": {"questions": questions, "toolCallId": asked.get("itemId")},
    }


def question_answer(asked: Native, result: Mapping[str, Any] | None) -> tuple[Native, bool]:
    """The answers by question; True when the question was cancelled. A refusal is no answer to any."""
    action = result.get("action") if result is not None else None
    content = as_dict(result.get("content")) if result is not None and action == "accept" else {}
    answers = {
        id: {"answers": _texts(content[id])}
        for item in dicts_in(asked.get("questions"))
        if content.get(id := str(item.get("id"))) is not None
    }
    return {"answers": answers}, action not in ("accept", "decline")


def elicitation_params(asked: Native) -> dict[str, Any]:
    """A question of an MCP server that Codex passes on."""
    params: dict[str, Any] = {
        "mode": asked.get("mode"),
        "message": asked.get("message") or "",
        "_meta": {"codex": {"mcpServer": asked.get("serverName")}},
    }
    for key in ("requestedSchema", "url", "elicitationId"):
        if asked.get(key) is not None:
            params[key] = asked[key]
    return params


def elicitation_answer(result: Mapping[str, Any] | None) -> Native:
    action = result.get("action") if result is not None else None
    content = result.get("content") if result is not None and action == "accept" else None
    known = action if action in ("accept", "decline") else "cancel"
    return {"action": known, "content": content, "_meta": None}


def _question(item: Native) -> dict[str, Any]:
    question: dict[str, Any] = {
        "id": str(item.get("id")),
        "question": str(item.get("question") or ""),
    }
    if (header := as_text(item.get("header"))) is not None:
        question["header"] = header
    question["options"] = [
        {key: option[key] for key in ("label", "description") if isinstance(option.get(key), str)}
        for option in dicts_with(item.get("options"), "label")
    ]
    if item.get("isSecret") is True:
        question["isSecret"] = True
    return question


def _property(question: dict[str, Any]) -> dict[str, Any]:
    described = {
        "type": "string",
        "title": question.get("header") or question["question"],
        "description": question["question"],
    }
    # Codex takes any text as an answer; the choices are what it hopes for.
    choices = [
        {"const": option["label"], "title": option["label"]} for option in question["options"]
    ]
    return described | ({"oneOf": choices} if choices else {})


def _texts(answer: Any) -> list[str]:
    return [str(item) for item in answer] if isinstance(answer, list) else [str(answer)]
