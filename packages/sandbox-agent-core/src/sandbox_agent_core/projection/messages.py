"""Chunks and completions of messages and reasoning."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.content import text_of
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.frames.extensions import HALF
from sandbox_agent_core.lenient import as_dict, as_str, compact
from sandbox_agent_core.projection.parts import Wire, blocks_of, event
from sandbox_agent_core.surrogates import mended, split_half, whole

__all__ = ["chunk", "completion", "parent_of"]

_ROLES = {acp.AGENT_MESSAGE_CHUNK: "assistant", acp.USER_MESSAGE_CHUNK: "user"}


def chunk(entry: LogEntry, update: Wire) -> Wire | None:
    """A delta. The hottest function of the projection: one call for every token of an agent."""
    content = update.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        return None
    text = content.get("text") if content["type"] == "text" else ""
    if not isinstance(text, str):
        return None
    data: Wire = {}
    kind = update["sessionUpdate"]
    if kind in _ROLES:
        type = "message.delta"
        data["role"] = _ROLES[kind]
    else:
        type = "reasoning.delta"
    message_id = entry.item_id or update.get("messageId")
    if isinstance(message_id, str):
        data["messageId"] = whole(message_id)
    annotations = as_dict(entry.annotations) if entry.annotations else {}
    if not text.isascii() or HALF in annotations:
        text = (as_str(annotations.get(HALF)) or "") + text
        # The half at its end is for the next delta, which is stamped with it.
        text = whole(split_half(text)[0] if content["type"] == "text" else text)
    data["text"] = text
    # `{type, text}` is all in `text` already.
    if content["type"] != "text" or len(content) > 2:
        data["content"] = mended(content)
    if "_meta" in update and (parent := parent_of(update)) is not None:
        data["parentToolCallId"] = whole(parent)
    if annotations.get("late") is True:
        data["late"] = True
    return event(entry, type, data)


def completion(entry: LogEntry, type: str, params: Wire) -> Wire:
    """`message.completed` or `reasoning.completed`, of what the server put together: one for every message."""
    data: Wire = {}
    if type == "message.completed":
        data["role"] = "user" if params.get("role") == "user" else "assistant"
    data |= compact(messageId=as_str(params.get("messageId")))
    blocks = mended(blocks_of(params.get("content")))
    data["text"] = text_of(blocks)
    data["content"] = blocks
    data |= compact(parentToolCallId=as_str(params.get("parentToolCallId")))
    if params.get("late") is True:
        data["late"] = True
    return event(entry, type, data)


def parent_of(update: Wire) -> str | None:
    """The tool call of the sub-agent that an update comes from. ACP has no field for it."""
    meta: dict[str, Any] = as_dict(update.get("_meta"))
    return (
        as_str(update.get("parentToolCallId"))
        or as_str(meta.get("parentToolCallId"))
        or as_str(as_dict(meta.get("claudeCode")).get("parentToolUseId"))
    )
