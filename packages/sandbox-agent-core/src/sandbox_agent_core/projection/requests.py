"""Permissions and questions: the agent's request, and the one answer to it."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames.entry import LogEntry, rfc3339
from sandbox_agent_core.lenient import as_dict, as_id, as_str, compact, dicts_in
from sandbox_agent_core.projection.parts import Wire, event, rfc3339_of
from sandbox_agent_core.projection.questions import questions_of
from sandbox_agent_core.projection.tools import tool_fields
from sandbox_agent_core.tool_calls import with_earlier
from sandbox_agent_core.tool_changes import changes_of
from sandbox_agent_core.tool_facts import facts_of

__all__ = [
    "asked_for",
    "deadline_of",
    "decision_of",
    "permission_requested",
    "permission_resolved",
    "question_requested",
    "question_resolved",
    "request_id_of",
]

_DECIDERS = frozenset({"user", "policy", "timeout", "cancel"})
_ANSWERED = ("reply", "scope", "message", "onReject")
_QUESTION_OUTCOMES = {"accept": "answered", "decline": "declined", "reject": "declined"}


def permission_requested(entry: LogEntry, params: Any) -> Wire:
    """Lenient: a request that is malformed still has to be answered, so it is still an event."""
    request = as_dict(params)
    annotations, id = as_dict(entry.annotations), request_id_of(entry)
    told = with_earlier(as_dict(request.get("toolCall")), as_dict(annotations.get("tool")))
    data: Wire = {"requestId": id} | asked_for(told, annotations, id)
    data["options"] = [
        {"optionId": option_id}
        | compact(name=as_str(item.get("name")), kind=as_str(item.get("kind")))
        for item in dicts_in(request.get("options"))
        if (option_id := as_id(item.get("optionId"))) is not None
    ]
    data |= compact(hook=as_str(annotations.get("hook")))
    return event(entry, "permission.requested", data | deadline_of(entry))


def asked_for(tool_call: Wire, annotations: Wire, request_id: str) -> Wire:
    """`toolCall`, `command` and `paths` of a permission: what the server read to judge it, else what its tool call says."""
    facts = facts_of(tool_call)
    paths = annotations.get("paths", list(facts.paths))
    told: Wire = compact(
        toolCall=tool_fields(tool_call, request_id if tool_call else None),
        command=as_str(annotations.get("command")) or facts.command,
    )
    if isinstance(paths, list) and paths:
        told["paths"] = [path for path in paths if isinstance(path, str)]
    call = told.get("toolCall")
    if call is not None and not call.get("diffs") and (changes := changes_of(tool_call)):
        call["diffs"] = changes
    return told


def permission_resolved(entry: LogEntry) -> Wire:
    annotations = as_dict(entry.annotations)
    outcome = as_dict(as_dict(entry.payload.get("result")).get("outcome"))
    option_id = as_id(outcome.get("optionId"))
    selected = outcome.get("outcome") == "selected" and option_id is not None
    data: Wire = {
        "requestId": request_id_of(entry),
        "outcome": "selected" if selected else "cancelled",
    }
    if selected:
        data |= compact(
            optionId=option_id,
            optionKind=as_str(annotations.get("optionKind")),
            optionName=as_str(annotations.get("optionName")),
        )
    data |= decision_of(annotations)
    updated = annotations.get("updatedInput")
    data |= compact(
        **{name: as_str(annotations.get(name)) for name in _ANSWERED},
        updatedInput=updated if isinstance(updated, dict) else None,
    )
    return event(entry, "permission.resolved", data)


def question_requested(entry: LogEntry, params: Any) -> Wire:
    request = as_dict(params)
    meta = as_dict(request.get("_meta"))
    data: Wire = {
        "requestId": request_id_of(entry),
        "message": as_str(request.get("message")) or "",
        "questions": questions_of(request),
    }
    data |= compact(
        url=as_str(request.get("url")),
        toolCallId=as_str(request.get("toolCallId")) or as_str(meta.get("toolCallId")),
    )
    return event(entry, "question.requested", data | deadline_of(entry))


def question_resolved(entry: LogEntry) -> Wire:
    annotations = as_dict(entry.annotations)
    result = as_dict(entry.payload.get("result"))
    action = as_str(result.get("action")) or ""
    answers = annotations.get("answers")
    if not isinstance(answers, dict):
        answers = as_dict(result.get("content"))
    data: Wire = {
        "requestId": request_id_of(entry),
        "outcome": _QUESTION_OUTCOMES.get(action, "cancelled"),
    }
    if answers:
        data["answers"] = answers
    return event(entry, "question.resolved", data | decision_of(annotations))


def request_id_of(entry: LogEntry) -> str:
    if isinstance(entry.item_id, str):
        return entry.item_id
    id = entry.payload.get("id")
    return str(id) if isinstance(id, (str, int)) else ""


def deadline_of(entry: LogEntry) -> Wire:
    annotations = as_dict(entry.annotations)
    return compact(
        askedAt=rfc3339(entry.time_ms),
        expiresAt=rfc3339_of(annotations.get("expiresAt")),
        default=as_str(annotations.get("default")),
    )


def decision_of(annotations: Wire) -> Wire:
    decided_by = as_str(annotations.get("decidedBy"))
    return compact(
        decidedBy=decided_by if decided_by in _DECIDERS else None,
        rule=as_str(annotations.get("rule")),
        actor=as_str(annotations.get("actor")),
    )
