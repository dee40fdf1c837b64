"""OpenCode's permissions and questions as ACP requests, the answers back, and what was allowed for good. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, as_text, dicts_in

from sandbox_agent_server.agents.native.permission_replies import PermissionReply
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.opencode.changes import changed_paths, changes
from sandbox_agent_server.agents.opencode.tools import PERMISSION_KINDS, tool_fields

__all__ = [
    "Grants",
    "permission_params",
    "permission_reply",
    "question_answers",
    "question_call",
    "question_params",
]

_ALLOWED: Final = frozenset({"once", "always"})
_REJECT: Final = "reject"
_REJECTED: Final = "Do not try it again unless the user asks for it."


def permission_params(
    asked: Native, part: Native | None, *, session_id: str, call_id: str, parent: str | None
) -> dict[str, Any]:
    """Of `session/request_permission`. `part` is the tool call that it is about, when we know it."""
    permission, metadata = as_text(asked.get("permission")) or "", as_dict(asked.get("metadata"))
    if metadata.get("files"):
        # Beside these its `filepath` is a list for people.
        metadata = {key: value for key, value in metadata.items() if key != "filepath"}
    tool = (as_text(part.get("tool")) if part is not None else None) or permission
    meta: dict[str, Any] = {"opencode": {"permission": permission, "metadata": metadata}}
    if parent is not None:
        meta["parentToolCallId"] = parent
    always = ", ".join(_texts(asked.get("always")))
    return {
        "sessionId": session_id,
        "toolCall": {
            "toolCallId": call_id,
            "name": tool,
            **_call(asked, permission, metadata, part),
            "status": "pending",
            "_meta": meta,
        },
        "options": [
            _option("once", "allow_once", "Allow once"),
            _option(
                "always", "allow_always", f"Always allow {always}" if always else "Always allow"
            ),
            _option("reject", "reject_once", "Reject"),
        ],
    }


def _call(asked: Native, permission: str, metadata: Native, part: Native | None) -> dict[str, Any]:
    call: dict[str, Any] = {
        "title": as_text(metadata.get("command"))
        or " ".join([permission, *_texts(asked.get("patterns"))]),
        "kind": PERMISSION_KINDS.get(permission, "other"),
        "rawInput": metadata,
    }
    tool, given = permission, metadata
    if part is not None:
        tool, state = as_text(part.get("tool")) or "", as_dict(part.get("state"))
        told = tool_fields(tool, state)
        # Often it is asked before the call has its arguments: then only this says what it would do.
        if "rawInput" in told or not metadata:
            call, given = told, as_dict(state.get("input"))
        else:
            call = {**told, **call, "kind": told["kind"]}
    if content := changes(tool, given, metadata):
        call["content"] = content
    paths = changed_paths(metadata, metadata)
    if paths or "locations" in call:
        # Of a permission to leave the workspace only this says where to.
        known = [place["path"] for place in call.get("locations", [])]
        call["locations"] = [{"path": each} for each in dict.fromkeys([*known, *paths])]
    return call


def permission_reply(result: Mapping[str, Any] | None) -> Native:
    """Everything that is not a known way to say yes is a no."""
    outcome = as_dict((result or {}).get("outcome"))
    chosen = outcome.get("optionId") if outcome.get("outcome") == "selected" else None
    if chosen in _ALLOWED:
        return {"reply": chosen}
    said = PermissionReply.read(result)
    # With words the model goes on with them, as other agents do; without, the turn ends.
    if chosen != _REJECT or said.stops:
        return {"reply": _REJECT}
    return {"reply": _REJECT, "message": said.message or _REJECTED}


def question_call(asked: Native) -> dict[str, Any]:
    """What a question says of the call that asks it."""
    questions = dicts_in(asked.get("questions"))
    titles = [text for each in questions if (text := as_text(each.get("question")))]
    return {
        "title": "\n".join(titles) or "question",
        "kind": "other",
        "status": "pending",
        "rawInput": {"questions": questions},
    }


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
        _question(index, item)
        for index, item in enumerate(dicts_in(asked.get("questions")), start=1)
    ]


def _question(index: int, item: Native) -> dict[str, Any]:
    question: dict[str, Any] = {"id": f"q{index}", "question": as_text(item.get("question")) or ""}
    if header := as_text(item.get("header")):
        question["header"] = header
    question["options"] = [
        {key: option[key] for key in ("label", "description") if isinstance(option.get(key), str)}
        for option in dicts_in(item.get("options"))
        if as_text(option.get("label"))
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


class Grants:
    """Of permissions, by their name and the patterns that OpenCode offers to allow always.

    OpenCode would remember it by itself, and then ask nothing, whatever mode the session is put into.
    """

    def __init__(self) -> None:
        self._patterns: dict[str, set[str]] = {}

    def add(self, asked: Native) -> None:
        self._granted(asked).update(_texts(asked.get("always")))

    def cover(self, asked: Native) -> bool:
        """Everything that is asked for was allowed."""
        wanted = _texts(asked.get("patterns"))
        return bool(wanted) and all(
            any(_expression(pattern).fullmatch(each) for pattern in self._granted(asked))
            for each in wanted
        )

    def clear(self) -> None:
        self._patterns.clear()

    def _granted(self, asked: Native) -> set[str]:
        return self._patterns.setdefault(as_text(asked.get("permission")) or "", set())


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """OpenCode's wildcards: `*` and `?`; `touch *` also stands for `touch` alone."""
    start, end = (pattern[:-2], "( .*)?") if pattern.endswith(" *") else (pattern, "")
    escaped = re.escape(start).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped + end, re.DOTALL)


def _texts(value: Any) -> list[str]:
    return [item for item in as_list(value) if isinstance(item, str)]
