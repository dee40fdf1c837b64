"""What begins a turn: a prompt, or an operation that takes one. And what is said into one that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.content import CONTEXT_META, text_of
from sandbox_agent_core.frames import operations
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_str, as_text, dicts_in
from sandbox_agent_core.projection.parts import Wire, blocks_of, event

__all__ = ["prompt_data", "turn_data", "turn_started", "turn_steered"]

_OPERATIONS: Final = ("review",)


def turn_started(entry: LogEntry, method: str, params: Any) -> Wire:
    return event(entry, "turn.started", turn_data(method, as_dict(params), entry.annotations))


def turn_data(
    method: str, params: Mapping[str, Any], annotations: Mapping[str, Any] | None = None
) -> Wire:
    """The data of `turn.started`. `annotations`: of a prompt that stands for an operation."""
    match method:
        case operations.SESSION_COMPACT:
            words = _command("/compact", params.get("instructions"))
            return {"origin": "compact", **words, **_limits(annotations)}
        case operations.SESSION_REVIEW:
            target = as_dict(params.get("target"))
            words = _command("/review", _review_words(target))
            return {"origin": "review", **words, **_limits(annotations)}
    data = prompt_data(params.get("prompt"))
    data |= _limits(annotations)
    marks = as_dict(annotations)
    if marks.get("operation") in _OPERATIONS:
        data["origin"] = marks["operation"]
    if marks.get("emulated") is True:
        data["emulated"] = True
    return data


def _limits(annotations: Mapping[str, Any] | None) -> Wire:
    limits = as_dict(as_dict(annotations).get("limits"))
    return {"limits": limits} if limits else {}


def prompt_data(prompt: Any) -> Wire:
    """The prompt as it was typed: without the context that a resumed agent is given with it."""
    blocks = [
        block
        for block in blocks_of(prompt)
        if as_dict(block.get("_meta")).get(CONTEXT_META) is not True
    ]
    return {"text": text_of(blocks), "content": blocks}


def turn_steered(entry: LogEntry) -> Wire | None:
    """The agent has taken it. A refusal is none: then it becomes a prompt, and is seen as that."""
    steered = as_dict(as_dict(entry.annotations).get("steered"))
    if "error" in entry.payload or not steered:
        return None
    blocks = dicts_in(steered.get("content"))
    wire = event(entry, "turn.steered", {"text": text_of(blocks), "content": blocks})
    # It may have ended by the time of the answer.
    if (turn_id := as_str(steered.get("turnId"))) is not None:
        wire["turnId"] = turn_id
    return wire


def _command(name: str, words: Any) -> Wire:
    """As a person would have typed it."""
    text = f"{name} {as_text(words) or ''}".strip()
    return {"text": text, "content": [{"type": "text", "text": text}]}


def _review_words(target: Wire) -> str | None:
    match target.get("type"):
        case "branch":
            return f"branch {target.get('branch')}"
        case "commit":
            return f"commit {target.get('sha')}"
    return as_text(target.get("instructions"))
