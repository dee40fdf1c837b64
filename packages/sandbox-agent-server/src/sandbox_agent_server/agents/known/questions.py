"""Questions to a person as `elicitation/create`, from agents that ask in a way of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["question_params"]


def question_params(
    questions: Sequence[dict[str, Any]], *, session_id: str | None, call_id: Any, title: str = ""
) -> dict[str, Any]:
    """`questions` are `{id, question, header?, options: [{label, description?}], multiSelect}`."""
    return {
        "sessionId": session_id,
        "mode": "form",
        "message": title or "\n".join(str(item["question"]) for item in questions),
        "requestedSchema": {
            "type": "object",
            "properties": {str(item["id"]): _property(item) for item in questions},
        },
        "_meta": {"questions": list(questions), "toolCallId": call_id},
    }


def _property(question: dict[str, Any]) -> dict[str, Any]:
    labels = [option["label"] for option in question["options"]]
    if question["multiSelect"]:
        return {"type": "array", "title": question["question"], "items": {"enum": labels}}
    chosen = {"enum": labels} if labels else {}
    return {"type": "string", "title": question["question"], **chosen}
