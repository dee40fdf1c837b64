"""OpenCode's permissions and questions as ACP requests, and the answers back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_server.agents.opencode.grants import strings_in
from sandbox_agent_server.agents.opencode.native import Native, as_dict, dicts, text_in
from sandbox_agent_server.agents.opencode.tools import PERMISSION_KINDS, tool_fields

__all__ = ["permission_params", "permission_reply", "question_answers", "question_params"]

_REPLIES: Final = frozenset({"once", "always", "reject"})


def permission_params(
    asked: Native, part: Native | None, *, session_id: str, call_id: str, parent: str | None
) -> dict[str, Any]:
    """Of `session/request_permission`. `part` is the tool call that it is about, when we know it."""
    permission, metadata = text_in(asked, "permission") or "", as_dict(asked.get("metadata"))
    if part is not None:
        tool = text_in(part, "tool") or permission
        call = {**tool_fields(tool, as_dict(part.get("state"))), "name": tool}
    else:
        call = {
            "title": text_in(metadata, "command")
            or " ".join([permission, *strings_in(asked, "patterns")]),
            "kind": PERMISSION_KINDS.get(permission, "other"),
            "name": permission,
            "rawInput": metadata,
        }
    if path := text_in(metadata, "filepath"):
        # Of a permission to leave the workspace only this says where to.
        known = [place["path"] for place in call.get("locations", [])]
        call["locations"] = [{"path": each} for each in dict.fromkeys([*known, path])]
    meta: dict[str, Any] = {"opencode": {"permission": permission, "metadata": metadata}}
    if parent is not None:
        meta["parentToolCallId"] = parent
    always = ", ".join(strings_in(asked, "always"))
    return {
        "sessionId": session_id,
        "toolCall": {"toolCallId": call_id, **call, "status": "pending", "_meta": meta},
        "options": [
            _option("once", "allow_once", "Allow once"),
            _option(
                "always", "allow_always", f"Always allow {always}" if always else "Always allow"
            ),
            _option("reject", "reject_once", "Reject"),
        ],
    }


def permission_reply(result: Mapping[str, Any] | None) -> Native:
    """Everything that is not a known way to say yes is a no."""
    outcome = as_dict((result or {}).get("outcome"))
    chosen = outcome.get("optionId") if outcome.get("outcome") == "selected" else None
    reply: Native = {"reply": chosen if chosen in _REPLIES else "reject"}
    # With words the model goes on with them; without, the turn ends.
    if reply["reply"] == "reject" and (
        message := text_in(as_dict((result or {}).get("_meta")), "message")
    ):
        reply["message"] = message
    return reply


def question_params(asked: Native, *, session_id: str, call_id: str | None) -> dict[str, Any]:
    """Of `elicitation/create`."""
    questions = _questions(asked)
    return {
        "sessionId": session_id,
        "mode": "form",
        "message": "\n".join(question["question"] for question in questions),
        "requestedSchema": {
            "type": "object",
            "properties": {question["id"]: _property(question) for question in questions},
        },
        "_meta": {"questions": questions, "toolCallId": call_id},
    }


def question_answers(asked: Native, result: Mapping[str, Any] | None) -> list[list[str]] | None:
    """A list of labels for each question, in their order. None: not answered."""
    result = result or {}
    content = result.get("content")
    if result.get("action") != "accept" or not isinstance(content, dict):
        return None
    return [_labels(content.get(question["id"])) for question in _questions(asked)]


def _labels(answer: Any) -> list[str]:
    if answer is None:
        return []
    return [str(item) for item in answer] if isinstance(answer, list) else [str(answer)]


def _questions(asked: Native) -> list[dict[str, Any]]:
    return [
        _question(index, item) for index, item in enumerate(dicts(asked.get("questions")), start=1)
    ]


def _question(index: int, item: Native) -> dict[str, Any]:
    question: dict[str, Any] = {"id": f"q{index}", "question": text_in(item, "question") or ""}
    if header := text_in(item, "header"):
        question["header"] = header
    question["options"] = [
        {key: option[key] for key in ("label", "description") if isinstance(option.get(key), str)}
        for option in dicts(item.get("options"))
        if text_in(option, "label")
    ]
    question["multiSelect"] = item.get("multiple") is True
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
    # Any text is an answer; the choices are what the model hopes for.
    return {"type": "string", **described, **({"oneOf": choices} if choices else {})}


def _option(option_id: str, kind: str, name: str) -> dict[str, str]:
    return {"optionId": option_id, "kind": kind, "name": name}
