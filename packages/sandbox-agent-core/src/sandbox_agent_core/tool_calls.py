"""What a tool call is called, and of which kind it is.

Agents give ACP tool calls (`{toolCallId, title?, kind?, rawInput?, …}`) of any shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.frames.acp import TOOL_KINDS
from sandbox_agent_core.lenient import as_dict, as_str

if TYPE_CHECKING:
    from sandbox_agent_core.events import ToolCallFields

__all__ = ["kind_of", "name_of", "title_of", "with_earlier"]


def kind_of(tool_call: Mapping[str, Any]) -> str | None:
    """One of ACP's kinds: one that we do not know is `other`."""
    kind = as_str(tool_call.get("kind"))
    return kind if kind is None or kind in TOOL_KINDS else "other"


def name_of(tool_call: Mapping[str, Any]) -> str | None:
    """The tool's own name. ACP has no place for it, so agents put it into `_meta`."""
    meta = as_dict(tool_call.get("_meta"))
    return (
        as_str(tool_call.get("name"))
        or as_str(as_dict(meta.get("claudeCode")).get("toolName"))
        or as_str(meta.get("toolName"))
    )


def title_of(tool_call: ToolCallFields | None) -> str:
    """What to call it before people; never empty."""
    if tool_call is None:
        return "a tool call"
    kind = "a tool call" if tool_call.kind == "other" else tool_call.kind
    return tool_call.title or tool_call.name or kind


def with_earlier(tool_call: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call with what was told of it before where it says nothing itself."""
    return {**tool_call, **{key: earlier[key] for key in earlier if not tool_call.get(key)}}
