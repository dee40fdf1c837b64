"""What an export tells, gathered from wherever its format has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox_agent_core.redact import mask
from sandbox_agent_core.surrogates import whole
from sandbox_agent_core.view import MessageItem, ReasoningItem, ToolItem, Transcript

__all__ = ["calls_in", "calls_of", "said_in", "texts_in"]


def said_in(transcript: Transcript) -> list[str]:
    """Every message and thought of agents, as an export may show it."""
    items = transcript.items()
    said = [one.text for one in items if isinstance(one, (MessageItem, ReasoningItem)) and one.text]
    return [mask(whole(text)) for text in said]


def calls_in(transcript: Transcript) -> list[str]:
    items = transcript.items()
    return sorted(mask(one.tool_call_id) for one in items if isinstance(one, ToolItem))


def texts_in(value: Any) -> str:
    """Every text in a JSON value, whatever it is in."""
    return "\0".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def calls_of(trajectory: dict[str, Any]) -> Iterator[str]:
    """Of an ATIF trajectory and those inside of it."""
    for step in trajectory["steps"]:
        for call in step.get("tool_calls", []):
            yield call["tool_call_id"]
    for inner in trajectory.get("subagent_trajectories", []):
        yield from calls_of(inner)
