"""A tool call as others tell it: a function with arguments, and what it gave back."""

from __future__ import annotations

import json
from typing import Any, Final

from sandbox_agent_core.content import ContentBlock, text_of
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.view.model import ToolItem

__all__ = ["arguments_of", "facts_of", "function_of", "is_over", "output_text", "shown_beside"]

_TOLD_ELSEWHERE: Final = frozenset(
    {"type", "toolCallId", "name", "input", "content", "terminalOutput", "parentToolCallId"}
)


def function_of(item: ToolItem) -> str:
    """Never empty."""
    return item.name or (item.kind if item.kind != "other" else item.title) or "tool"


def arguments_of(item: ToolItem) -> dict[str, Any]:
    if item.input is None or isinstance(item.input, dict):
        return item.input or {}
    return {"input": item.input}


def is_over(item: ToolItem) -> bool:
    return item.status in {"completed", "failed"}


def output_text(item: ToolItem) -> str:
    """What it printed, showed or gave back; why it failed, when that is all there is."""
    text = item.terminal_output or text_of(item.content) or _given_back(item.output)
    if not text and item.status == "failed":
        return item.reason or "failed"
    return text


def shown_beside(item: ToolItem) -> list[ContentBlock]:
    """What it showed that is no text. What a terminal printed is text, and told already."""
    return [block for block in item.content if block.type not in {"text", "terminal"}]


def facts_of(item: ToolItem) -> dict[str, Any]:
    """What is known of it beside its function, its arguments and what it printed, in the words of our API."""
    wire = {name: value for name, value in item.to_wire().items() if name not in _TOLD_ELSEWHERE}
    if isinstance(item.output, str) and item.output == output_text(item):
        del wire["output"]
    return {name: value for name, value in wire.items() if value not in ([], "", False)}


def _given_back(output: Any) -> str:
    if output is None or isinstance(output, str):
        return output or ""
    told = as_dict(output)
    streams = [as_str(told.get(name)) for name in ("stdout", "stderr")]
    if any(stream is not None for stream in streams):
        return "\n".join(filter(None, streams))
    try:
        return json.dumps(output, ensure_ascii=False)
    except RecursionError:
        return ""  # agents nest as deep as they like; the facts have what can be told of it
